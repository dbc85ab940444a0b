#include "emu/driver/app/fd_spec.hpp"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdlib>

namespace testbed::driver {
namespace {

Result<Fd> owned(int fd, const std::string& what) {
  if (fd < 0) return fail_errno(what, errno);
  return Fd(fd);
}

Result<Fd> memfd(uint64_t size) {
  auto fd = owned(::memfd_create("script", MFD_CLOEXEC | MFD_ALLOW_SEALING), "memfd");
  if (fd && ::ftruncate(fd->get(), static_cast<off_t>(size)) != 0) return fail_errno("memfd", errno);
  return fd;
}

Result<Fd> readonly(uint64_t size) {
  auto fd = memfd(size);
  if (!fd) return fd;
  return owned(::open(("/proc/self/fd/" + std::to_string(fd->get())).c_str(), O_RDONLY | O_CLOEXEC),
               "readonly");
}

Result<Fd> orphan(bool socket) {
  int ends[2];
  const int made =
      socket ? ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) : ::pipe2(ends, O_CLOEXEC);
  if (made != 0) return fail_errno(socket ? "socketpair" : "pipe", errno);
  ::close(ends[0]);
  return Fd(ends[1]);
}

Result<Fd> eventfd_with(uint64_t count) {
  auto fd = owned(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd");
  if (fd && count && ::write(fd->get(), &count, sizeof count) != sizeof count)
    return fail_errno("eventfd", errno);
  return fd;
}

Result<Fd> make(const std::string& kind, uint64_t size) {
  constexpr uint64_t kFull = UINT64_MAX - 1;
  if (kind == "memfd") return memfd(size);
  if (kind == "readonly") return readonly(size);
  if (kind == "eventfd") return eventfd_with(0);
  if (kind == "full eventfd") return eventfd_with(kFull);
  if (kind == "pipe") return orphan(false);
  if (kind == "socket") return orphan(true);
  if (kind == "null") return owned(::open("/dev/null", O_RDWR | O_CLOEXEC), kind);
  if (kind == "directory") return owned(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), kind);
  return fail(Errc::invalid_argument,
              "no descriptor is called '" + kind +
                  "'; there are memfd SIZE, readonly SIZE, eventfd, full eventfd, pipe, socket, "
                  "null, directory, guest, log, and those that were named with 'as'");
}

Result<Fd> duplicate(const Fd& fd) {
  return owned(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 3), "dup");
}

}  // namespace

Result<Fd> make_fd(const std::string& description, std::map<std::string, Fd>& named) {
  if (const auto found = named.find(description); found != named.end()) return duplicate(found->second);
  std::string kind = description, name;
  if (const size_t as = kind.find(" as "); as != std::string::npos) {
    name = kind.substr(as + 4);
    kind.resize(as);
  }
  uint64_t size = 0;
  if (const size_t digits = kind.find_first_of("0123456789"); digits != std::string::npos && digits > 0) {
    size = std::strtoull(kind.c_str() + digits, nullptr, 0);
    kind.resize(digits - 1);
  }
  auto fd = make(kind, size);
  if (!fd || name.empty()) return fd;
  named[name] = std::move(*fd);
  return duplicate(named[name]);
}

}  // namespace testbed::driver
