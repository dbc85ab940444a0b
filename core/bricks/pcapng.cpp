#include "core/bricks/pcapng.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <utility>

#include "core/base/clock.hpp"

namespace testbed {
namespace {

constexpr uint32_t kSectionHeader = 0x0a0d0d0a, kInterface = 1, kEnhancedPacket = 6, kByteOrder = 0x1a2b3c4d;
constexpr uint16_t kEndOfOptions = 0, kComment = 1, kInterfaceName = 2, kUserApplication = 4,
                   kTimeResolution = 9;
constexpr uint16_t kLinkTypeEthernet = 1;

int64_t wall_offset() {
  timespec ts;
  clock_gettime(CLOCK_REALTIME, &ts);
  return static_cast<int64_t>(ts.tv_sec) * 1'000'000'000 + ts.tv_nsec - static_cast<int64_t>(now_ns());
}

}  // namespace

Result<PcapngWriter> PcapngWriter::open(const std::string& path, const std::vector<std::string>& interfaces,
                                        uint32_t snap_length) {
  Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0644));
  if (!fd) return fail_errno("cannot write " + path, errno);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0)
    return fail(Errc::busy, path + " is being written by another capture");
  if (::ftruncate(fd.get(), 0) != 0 && errno != EINVAL) return fail_errno("cannot empty " + path, errno);
  PcapngWriter writer(std::move(fd), path);
  writer.wall_offset_ns_ = wall_offset();
  writer.add_section(interfaces, snap_length);
  writer.head_ = std::exchange(writer.pending_, {});
  return writer;
}

void PcapngWriter::append(const void* from, size_t size) {
  pending_.append(static_cast<const char*>(from), size);
}

void PcapngWriter::pad() {
  pending_.resize((pending_.size() + 3) & ~size_t{3});
}

size_t PcapngWriter::begin_block(uint32_t type) {
  const size_t start = pending_.size();
  word(type);
  word(0);  // the length, in end_block
  return start;
}

void PcapngWriter::end_block(size_t start) {
  const auto length = static_cast<uint32_t>(pending_.size() - start + sizeof(uint32_t));
  std::memcpy(pending_.data() + start + sizeof(uint32_t), &length, sizeof length);
  word(length);
}

void PcapngWriter::option(uint16_t code, std::string_view value) {
  const auto length = static_cast<uint16_t>(value.size());
  append(&code, sizeof code);
  append(&length, sizeof length);
  append(value.data(), value.size());
  pad();
}

void PcapngWriter::add_section(const std::vector<std::string>& interfaces, uint32_t snap_length) {
  const size_t section = begin_block(kSectionHeader);
  word(kByteOrder);
  word(1);  // version 1.0
  word(UINT32_MAX);
  word(UINT32_MAX);  // the section's length is not known
  option(kUserApplication, "testbed-switch");
  option(kComment, "wall clock - CLOCK_MONOTONIC = " + std::to_string(wall_offset_ns_) + " ns");
  option(kEndOfOptions, "");
  end_block(section);
  for (const auto& name : interfaces) {
    const size_t interface = begin_block(kInterface);
    word(kLinkTypeEthernet);
    word(snap_length);
    option(kInterfaceName, name);
    option(kTimeResolution, "\x09");  // 10^-9 s
    option(kEndOfOptions, "");
    end_block(interface);
  }
}

void PcapngWriter::add(uint32_t interface, uint64_t t_ns, const std::byte* data, uint32_t captured,
                       uint32_t original) {
  const uint64_t stamp = t_ns + static_cast<uint64_t>(wall_offset_ns_);
  const size_t block = begin_block(kEnhancedPacket);
  word(interface);
  word(static_cast<uint32_t>(stamp >> 32));
  word(static_cast<uint32_t>(stamp));
  word(captured);
  word(original);
  append(data, captured);
  pad();
  end_block(block);
}

Result<void> PcapngWriter::flush() {
  if (written_ == 0) pending_.insert(0, head_);  // again after a disk was full from the start
  size_t done = 0;
  while (done < pending_.size()) {
    const ssize_t n = ::write(fd_.get(), pending_.data() + done, pending_.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      const int error = n < 0 ? errno : EIO;
      // A torn block would make the rest unreadable. Where the file cannot be cut (a device), nothing more
      // can be done.
      if (::ftruncate(fd_.get(), written_) == 0) ::lseek(fd_.get(), written_, SEEK_SET);
      pending_.clear();
      return fail_errno("cannot write " + path_, error);
    }
    done += static_cast<size_t>(n);
  }
  written_ += static_cast<off_t>(done);
  pending_.clear();
  return {};
}

}  // namespace testbed
