#include "emu/guest/kernel_log.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>

namespace testbed::guest {

namespace {

// Reads a number and the separator behind it.
bool take_number(std::string_view& text, char separator, uint64_t& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end == text.data() + text.size() || *end != separator) return false;
  text.remove_prefix(static_cast<size_t>(end - text.data()) + 1);
  return true;
}

}  // namespace

std::optional<KernelRecord> parse_kernel_record(std::string_view record) {
  // "priority,sequence,microseconds,flags[,...];text\n KEY=value\n"
  uint64_t priority = 0, sequence = 0, micros = 0;
  if (!take_number(record, ',', priority) || !take_number(record, ',', sequence) ||
      !take_number(record, ',', micros))
    return std::nullopt;
  const size_t start = record.find(';');
  if (start == std::string_view::npos || priority >> 3 != 0) return std::nullopt;  // facility 0: the kernel
  record.remove_prefix(start + 1);
  return KernelRecord{static_cast<unsigned>(priority & 7), micros * 1000,
                      std::string(record.substr(0, record.find('\n')))};
}

bool is_kernel_error(const KernelRecord& record) {
  if (record.level <= 3) return true;
  for (const char* mark :
       {"WARNING: ", "BUG: ", "Oops: ", "general protection fault", "detected stall", "Kernel panic"})
    if (record.text.find(mark) != std::string::npos) return true;
  return false;
}

Result<void> KernelLog::follow() {
  const int fd = ::open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return fail_errno("/dev/kmsg", errno);
  device_.assign(fd);
  drain();
  return {};
}

void KernelLog::wait() {
  device_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                     [this](boost::system::error_code error) {
                       if (!error) drain();
                     });
}

void KernelLog::drain() {
  std::array<char, 8192> buffer;  // the kernel's own limit for a record
  while (told_ < kMaxTold) {
    const ssize_t size = ::read(device_.native_handle(), buffer.data(), buffer.size());
    if (size < 0 && errno == EPIPE)
      continue;  // records were overwritten before we read them: go on with the next
    if (size <= 0) break;
    const auto record = parse_kernel_record({buffer.data(), static_cast<size_t>(size)});
    if (record && is_kernel_error(*record)) {
      ++told_;
      listener_(*record);
    }
  }
  if (told_ < kMaxTold) wait();
}

}  // namespace testbed::guest
