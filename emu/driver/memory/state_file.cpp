#include "emu/driver/memory/state_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>

namespace testbed::driver {

Result<Mapping> map_state(const std::string& file, size_t size) {
  Fd fd(file.empty() ? ::memfd_create("driver-state", MFD_CLOEXEC)
                     : ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) return fail_errno(file.empty() ? "memfd_create" : "cannot open " + file, errno);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return fail_errno("fstat of the driver's state", errno);
  if (static_cast<size_t>(info.st_size) != size &&
      (::ftruncate(fd.get(), 0) != 0 || ::ftruncate(fd.get(), static_cast<off_t>(size)) != 0))
    return fail_errno("cannot size the driver's state", errno);
  void* base = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (base == MAP_FAILED) return fail_errno("cannot map the driver's state", errno);
  return Mapping(base, size);
}

}  // namespace testbed::driver
