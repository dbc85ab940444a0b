#include "emu/guest/system.hpp"

#include <fcntl.h>
#include <linux/reboot.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>

#include "core/base/fd.hpp"

namespace testbed::guest {

namespace {

constexpr const char* kModules = "/lib/modules/";

struct Mount {
  const char* type;
  const char* place;
};
constexpr Mount kMounts[] = {
    {"proc", "/proc"}, {"sysfs", "/sys"}, {"devtmpfs", "/dev"}, {"tmpfs", "/tmp"}, {"tmpfs", "/run"}};

}  // namespace

Result<void> mount_filesystems() {
  for (const auto& [type, place] : kMounts) {
    ::mkdir(place, 0755);
    if (::mount(type, place, type, MS_NOSUID, nullptr) != 0 && errno != EBUSY)
      return fail_errno(std::string("mount ") + place, errno);
  }
  return {};
}

std::string kernel_release() {
  utsname name{};
  ::uname(&name);
  return name.release;
}

std::string module_path(const std::string& name) {
  return kModules + kernel_release() + "/" + name + ".ko";
}

Result<std::vector<std::string>> boot_modules() {
  const std::string list = std::string(kModules) + "boot";
  std::ifstream in(list);
  if (!in) return fail(Errc::not_found, list + " cannot be read: not an initramfs of testbed's");
  std::vector<std::string> names;
  for (std::string name; std::getline(in, name);) names.push_back(name);
  return names;
}

Result<void> insert_module(const std::string& name) {
  const Fd file(::open(module_path(name).c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return fail_errno(module_path(name), errno);
  if (::syscall(SYS_finit_module, file.get(), "", 0) != 0 && errno != EEXIST)
    return fail_errno("insert " + name, errno);
  return {};
}

Result<void> remove_module(const std::string& name) {
  if (::syscall(SYS_delete_module, name.c_str(), O_NONBLOCK) != 0 && errno != ENOENT)
    return fail_errno("remove " + name, errno);
  return {};
}

Result<void> write_file(const std::string& path, const std::string& text) {
  const Fd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file) return fail_errno(path, errno);
  if (::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return fail_errno(path, errno);
  return {};
}

std::string read_line(const std::string& path) {
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  return line;
}

Result<void> restart_machine() {
  ::reboot(LINUX_REBOOT_CMD_RESTART);
  return fail_errno("reboot", errno);
}

Result<void> power_off() {
  ::reboot(LINUX_REBOOT_CMD_POWER_OFF);
  return fail_errno("power off", errno);
}

}  // namespace testbed::guest
