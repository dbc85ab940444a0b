// What answers the messages of one session: librte_vhost behind a private socket (vdev/vhost), or rings of
// our own.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "core/base/result.hpp"
#include "vdev/gate/message.hpp"

namespace testbed::gate {

class Backend {
 public:
  // The reply to a request, complete as it came; every request gets one, also those the specification leaves
  // unanswered, with a u64 of 0 for success. An Error: the session is over.
  using Answer = std::function<void(Result<Message>)>;

  virtual ~Backend() = default;

  // Control thread, one request at a time: the next one comes after the answer to the last. The answer comes
  // on the control thread, possibly before this returns, and not after destruction.
  virtual void submit(Message request, Answer answer) = 0;
  // Called once, if the back-end gives the session up between requests.
  virtual void on_lost(std::function<void(const Error&)> lost) = 0;
};

// Puts something between the sessions of `port` and their back-ends. Empty: nothing.
using BackendWrapper =
    std::function<std::unique_ptr<Backend>(const std::string& port, std::unique_ptr<Backend> backend)>;

}  // namespace testbed::gate
