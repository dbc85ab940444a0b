#include "vdev/gate/fd_facts.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <array>
#include <string>

namespace testbed::gate {
namespace {

// An eventfd has a type of its own only in what /proc calls it.
bool is_eventfd(int fd) {
  std::array<char, 32> target{};
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  const ssize_t length = ::readlink(link.c_str(), target.data(), target.size());
  return length > 0 && std::string_view(target.data(), static_cast<size_t>(length)) == "anon_inode:[eventfd]";
}

FdFacts::Kind kind_of(int fd, mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return is_eventfd(fd) ? FdFacts::Kind::eventfd : FdFacts::Kind::file;
    case S_IFIFO:
      return FdFacts::Kind::pipe;
    case S_IFSOCK:
      return FdFacts::Kind::socket;
    case S_IFDIR:
      return FdFacts::Kind::directory;
    case S_IFCHR:
    case S_IFBLK:
      return FdFacts::Kind::device;
    default:
      return is_eventfd(fd) ? FdFacts::Kind::eventfd : FdFacts::Kind::other;
  }
}

void add_file_facts(int fd, const struct stat& info, FdFacts& facts) {
  facts.size = static_cast<uint64_t>(info.st_size);
  struct statfs fs {};
  if (::fstatfs(fd, &fs) == 0 && fs.f_type == HUGETLBFS_MAGIC)
    facts.page_size = static_cast<uint64_t>(fs.f_bsize);
  const int seals = ::fcntl(fd, F_GET_SEALS);
  if (seals < 0) return;  // not a file that can be sealed
  facts.shrinkable = (seals & F_SEAL_SHRINK) == 0;
  if ((seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) != 0) facts.writable = false;
}

}  // namespace

std::string_view to_string(FdFacts::Kind kind) {
  switch (kind) {
    case FdFacts::Kind::file:
      return "a file";
    case FdFacts::Kind::eventfd:
      return "an eventfd";
    case FdFacts::Kind::pipe:
      return "a pipe";
    case FdFacts::Kind::socket:
      return "a socket";
    case FdFacts::Kind::directory:
      return "a directory";
    case FdFacts::Kind::device:
      return "a device";
    case FdFacts::Kind::other:
      break;
  }
  return "something else";
}

FdFacts describe_fd(int fd) {
  FdFacts facts;
  struct stat info {};
  if (::fstat(fd, &info) != 0) return facts;
  facts.kind = kind_of(fd, info.st_mode);
  facts.id = {info.st_dev, info.st_ino};
  facts.writable = (::fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR;
  if (facts.kind == FdFacts::Kind::file) add_file_facts(fd, info, facts);
  return facts;
}

std::vector<FdFacts> describe_fds(std::span<const Fd> fds) {
  std::vector<FdFacts> all;
  all.reserve(fds.size());
  for (const Fd& fd : fds) all.push_back(describe_fd(fd.get()));
  return all;
}

}  // namespace testbed::gate
