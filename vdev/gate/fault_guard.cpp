#include "vdev/gate/fault_guard.hpp"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <mutex>
#include <thread>

#include "core/base/assert.hpp"
#include "vdev/gate/mapping_lookup.hpp"

namespace testbed::gate {
namespace {

// 1024 sessions of 8 regions and a log, and as much again while tables are exchanged.
constexpr size_t kSlots = 18432;

// Written by control threads under `registering`, read by the handler. The bell is stored last and cleared
// first.
struct Slot {
  std::atomic<uint64_t> device, inode;
  std::atomic<int> bell;  // 0: free
};
constinit std::array<Slot, kSlots> slots{};
constinit std::atomic<size_t> slots_used = 0;  // none beyond was ever taken
constinit std::atomic<int> handlers = 0;       // threads that look at the slots now
std::mutex registering;
struct sigaction previous {};

// -- In the handler: no locks, no allocation.
bool ring_bells(FileId file) {
  bool known = false;
  const size_t used = slots_used.load(std::memory_order_acquire);
  for (size_t i = 0; i < used; ++i) {
    const int bell = slots[i].bell.load(std::memory_order_acquire);
    if (bell == 0 || slots[i].inode.load(std::memory_order_relaxed) != file.inode ||
        slots[i].device.load(std::memory_order_relaxed) != file.device)
      continue;
    known = true;
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t rung = ::write(bell, &one, sizeof one);
  }
  return known;
}

// The whole mapping, so that a session costs one fault for each, and not one mapping for each page: a process
// has 65530 of them. The thread that faulted is entitled to use it, so nobody unmaps it meanwhile. Others may
// be using it too, which is no race worth a report: what they find there has no meaning any more.
bool mend(const void* address) {
  const auto mapping = find_mapping(reinterpret_cast<uintptr_t>(address));
  if (!mapping) return false;
  if (mapping->file.inode == 0) return true;  // another thread was faster
  if (!ring_bells(mapping->file)) return false;
  constexpr int kFlags = MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  return ::syscall(SYS_mmap, mapping->begin, mapping->end - mapping->begin, PROT_READ | PROT_WRITE, kFlags,
                   -1, 0) != -1;
}

void hand_on(int signal, siginfo_t* info, void* context) {
  if ((previous.sa_flags & SA_SIGINFO) != 0 && previous.sa_sigaction != nullptr)
    return previous.sa_sigaction(signal, info, context);
  if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) return previous.sa_handler(signal);
  ::sigaction(SIGBUS, &previous, nullptr);  // the instruction is repeated, and meets the default action
}

void on_bus_error(int signal, siginfo_t* info, void* context) {
  const int error = errno;
  handlers.fetch_add(1);
  const bool mended = info->si_code == BUS_ADRERR && mend(info->si_addr);
  handlers.fetch_sub(1);
  errno = error;
  if (!mended) hand_on(signal, info, context);
}

// -- Control threads
// Each time, because others install handlers too.
void install() {
  const std::lock_guard lock(registering);
  struct sigaction now {};
  ::sigaction(SIGBUS, nullptr, &now);
  if ((now.sa_flags & SA_SIGINFO) != 0 && now.sa_sigaction == on_bus_error) return;
  previous = now;
  struct sigaction action {};
  action.sa_sigaction = on_bus_error;
  action.sa_flags = SA_SIGINFO;
  ::sigemptyset(&action.sa_mask);
  ::sigaction(SIGBUS, &action, nullptr);
}

}  // namespace

GuardedFiles::GuardedFiles(int bell) : bell_(bell) {
  TB_ASSERT(bell > 0);
  install();
}

Result<void> GuardedFiles::add(FileId file) {
  const auto known = [&](const Entry& entry) { return entry.file == file; };
  if (std::any_of(entries_.begin(), entries_.end(), known)) return {};
  const std::lock_guard lock(registering);
  const auto free =
      std::find_if(slots.begin(), slots.end(), [](const Slot& slot) { return slot.bell.load() == 0; });
  if (free == slots.end()) return fail(Errc::exhausted, "no room to guard another file of guest memory");
  const auto index = static_cast<size_t>(free - slots.begin());
  free->device.store(file.device, std::memory_order_relaxed);
  free->inode.store(file.inode, std::memory_order_relaxed);
  free->bell.store(bell_, std::memory_order_release);
  if (index >= slots_used.load()) slots_used.store(index + 1, std::memory_order_release);
  entries_.push_back({file, index});
  return {};
}

void GuardedFiles::keep(std::span<const FileId> files) {
  bool any = false;
  std::erase_if(entries_, [&](const Entry& entry) {
    if (std::find(files.begin(), files.end(), entry.file) != files.end()) return false;
    slots[entry.slot].bell.store(0);
    return any = true;
  });
  // A handler that has seen the bell is through with it in a moment.
  while (any && handlers.load() > 0) std::this_thread::yield();
}

}  // namespace testbed::gate
