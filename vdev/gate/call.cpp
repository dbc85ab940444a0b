#include "vdev/gate/call.hpp"

#include <linux/aio_abi.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

// The linker calls it so (--wrap): calls of eventfd_write() in librte_vhost come to call_driver().
extern "C" {
int __real_eventfd_write(int fd, eventfd_t value);  // NOLINT(bugprone-reserved-identifier)
int __wrap_eventfd_write(int fd, eventfd_t value);  // NOLINT(bugprone-reserved-identifier)
}

namespace testbed::gate {
namespace {

// What the kernel maps at the address that is the context: a ring of completions whose head is ours to move
// (fs/aio.c, struct aio_ring; libaio and fio read it in the same way).
struct CompletionRing {
  uint32_t id, slots, head, tail, magic;
};
constexpr uint32_t kMagic = 0xa10a10a1;

class RequestQueue {
 public:
  RequestQueue() {
    if (::syscall(SYS_io_setup, 1, &context_) != 0) context_ = 0;
    if (context_ != 0 && ring()->magic != kMagic) close();
  }
  ~RequestQueue() { close(); }
  RequestQueue(const RequestQueue&) = delete;
  RequestQueue& operator=(const RequestQueue&) = delete;

  // The request is a read of no octets from the eventfd itself: refused at once, which is an end like any
  // other.
  bool signal(int eventfd) {
    if (context_ == 0) return false;
    iocb request{};
    request.aio_lio_opcode = IOCB_CMD_PREAD;
    request.aio_fildes = static_cast<uint32_t>(eventfd);
    request.aio_flags = IOCB_FLAG_RESFD;
    request.aio_resfd = static_cast<uint32_t>(eventfd);
    iocb* requests[] = {&request};
    const bool submitted = ::syscall(SYS_io_submit, context_, 1, requests) == 1;
    forget_completions();
    return submitted;
  }

 private:
  CompletionRing* ring() const { return reinterpret_cast<CompletionRing*>(context_); }
  void forget_completions() {
    const uint32_t tail = std::atomic_ref(ring()->tail).load(std::memory_order_acquire);
    std::atomic_ref(ring()->head).store(tail, std::memory_order_release);
  }
  void close() {
    if (context_ != 0) ::syscall(SYS_io_destroy, context_);
    context_ = 0;
  }

  aio_context_t context_ = 0;
};

}  // namespace

void call_driver(int eventfd) {
  thread_local RequestQueue requests;
  if (!requests.signal(eventfd)) __real_eventfd_write(eventfd, 1);
}

}  // namespace testbed::gate

int __wrap_eventfd_write(int fd, eventfd_t value) {
  if (value != 1) return __real_eventfd_write(fd, value);
  testbed::gate::call_driver(fd);
  return 0;
}
