// What can go wrong with the messages of a session, and what a session may leave behind.
#include <fcntl.h>
#include <sys/mman.h>

#include <boost/asio/steady_timer.hpp>
#include <future>
#include <thread>

#include "tests/sabotage/catalogue.hpp"
#include "vdev/wire/virtio_features.hpp"

namespace testbed::sabotage {
namespace {

using wire::Request;

uint64_t success() {
  return 0;
}

class ForgetFeature final : public BackendDecorator {
 public:
  ForgetFeature(std::unique_ptr<gate::Backend> backend, Turn& turn, Site&)
      : BackendDecorator(std::move(backend)), forgets_(turn.now()) {}
  void submit(gate::Message request, Answer answer) override {
    if (!forgets_ || !request.is(Request::GET_FEATURES))
      return inner().submit(std::move(request), std::move(answer));
    inner().submit(std::move(request), [answer = std::move(answer)](Result<gate::Message> reply) {
      if (reply) reply->replace(reply->as<uint64_t>().value_or(0) & ~bit(wire::Feature::RING_INDIRECT_DESC));
      answer(std::move(reply));
    });
  }

 private:
  const bool forgets_;
};

class IgnoreDisable final : public BackendDecorator {
 public:
  IgnoreDisable(std::unique_ptr<gate::Backend> backend, Turn& turn, Site&)
      : BackendDecorator(std::move(backend)), turn_(turn) {}
  void submit(gate::Message request, Answer answer) override {
    const auto state = request.as<wire::VringState>();
    if (request.is(Request::SET_VRING_ENABLE) && state && state->num == 0 && turn_.now())
      return answer(gate::make_message(Request::SET_VRING_ENABLE, wire::kFlagReply, success()));
    inner().submit(std::move(request), std::move(answer));
  }

 private:
  Turn& turn_;
};

class WrongVringBase final : public BackendDecorator {
 public:
  WrongVringBase(std::unique_ptr<gate::Backend> backend, Turn& turn, Site&)
      : BackendDecorator(std::move(backend)), turn_(turn) {}
  void submit(gate::Message request, Answer answer) override {
    if (!request.is(Request::GET_VRING_BASE) || !turn_.now())
      return inner().submit(std::move(request), std::move(answer));
    inner().submit(std::move(request), [answer = std::move(answer)](Result<gate::Message> reply) {
      if (auto state = reply ? reply->as<wire::VringState>() : std::nullopt) {
        state->num = (state->num + 1) & 0xffff;
        reply->replace(*state);
      }
      answer(std::move(reply));
    });
  }

 private:
  Turn& turn_;
};

// The gate finds where a packed ring goes on; its datapath begins one slot later.
class ResumeOneOff final : public BackendDecorator {
 public:
  ResumeOneOff(std::unique_ptr<gate::Backend> backend, Turn& turn, Site&)
      : BackendDecorator(std::move(backend)), turn_(turn) {}
  void submit(gate::Message request, Answer answer) override {
    auto state = request.as<wire::VringState>();
    if (request.is(Request::SET_VRING_BASE) && state && turn_.now()) {
      state->num += 1;
      request.replace(*state);
    }
    inner().submit(std::move(request), std::move(answer));
  }

 private:
  Turn& turn_;
};

// A posted receive buffer is written when the queue has stopped and everybody was told so.
class WriteAfterStop final : public BackendDecorator {
 public:
  WriteAfterStop(std::unique_ptr<gate::Backend> backend, Turn& turn, Site& site)
      : BackendDecorator(std::move(backend)), turn_(turn), site_(site), later_(*site.io) {}
  void submit(gate::Message request, Answer answer) override {
    const auto state = request.as<wire::VringState>();
    if (request.is(Request::GET_VRING_BASE) && state && state->index % 2 == 0 && turn_.now())
      write_later(static_cast<uint16_t>(state->index));
    inner().submit(std::move(request), std::move(answer));
  }

 private:
  void write_later(uint16_t vring) {
    later_.expires_after(std::chrono::milliseconds(20));
    later_.async_wait([shared = site_.shared(), vring](const boost::system::error_code& error) {
      if (error || !shared || vring >= shared->rings.size() || !shared->rings[vring].address) return;
      const uint64_t used = shared->rings[vring].address->used;
      if (auto* flags = shared->at_user(used, 1)) *flags |= std::byte{0x80};
    });
  }
  Turn& turn_;
  Site& site_;
  boost::asio::steady_timer later_;
};

class LeakFd final : public BackendDecorator {
 public:
  LeakFd(std::unique_ptr<gate::Backend> backend, Turn& turn, Site&) : BackendDecorator(std::move(backend)) {
    if (turn.now()) [[maybe_unused]]
      const int leaked = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  }
};

class LeakMapping final : public BackendDecorator {
 public:
  LeakMapping(std::unique_ptr<gate::Backend> backend, Turn& turn, Site&)
      : BackendDecorator(std::move(backend)) {
    // Neighbours of the same kind would become one mapping: every other page is made to differ.
    constexpr size_t kPage = 4096;
    if (!turn.now()) return;
    void* leaked = ::mmap(nullptr, 2 * kPage, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (leaked != MAP_FAILED) ::mprotect(leaked, kPage, PROT_NONE);
  }
};

class LeakThread final : public BackendDecorator {
 public:
  LeakThread(std::unique_ptr<gate::Backend> backend, Turn& turn, Site&)
      : BackendDecorator(std::move(backend)) {
    if (turn.now())
      std::thread([] { std::promise<void>().get_future().wait_for(std::chrono::hours(1)); }).detach();
  }
};

constexpr Saboteur kSaboteurs[] = {
    {.what = "forget_feature",
     .does = "a feature is no longer offered",
     .backend = backend_of<ForgetFeature>},
    {.what = "ignore_disable",
     .does = "a queue that was disabled goes on",
     .backend = backend_of<IgnoreDisable>},
    {.what = "wrong_vring_base",
     .does = "GET_VRING_BASE is answered with the next index",
     .backend = backend_of<WrongVringBase>},
    {.what = "resume_one_off",
     .does = "a packed ring is resumed one slot too late",
     .backend = backend_of<ResumeOneOff>},
    {.what = "write_after_stop",
     .does = "a ring is written after GET_VRING_BASE was answered",
     .backend = backend_of<WriteAfterStop>},
    {.what = "leak_fd", .does = "a session leaves a descriptor open", .backend = backend_of<LeakFd>},
    {.what = "leak_mapping", .does = "a session leaves memory mapped", .backend = backend_of<LeakMapping>},
    {.what = "leak_thread", .does = "a session leaves a thread running", .backend = backend_of<LeakThread>},
};

}  // namespace

std::span<const Saboteur> session_saboteurs() {
  return kSaboteurs;
}

}  // namespace testbed::sabotage
