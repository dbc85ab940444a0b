// Something that can end the worker's sleep: a device whose backend calls when it has put a frame into a ring
// (the call descriptor of the vhost-user specification).
#pragma once

#include <span>

namespace testbed::load {

class Caller {
 public:
  virtual ~Caller() = default;
  // Worker. From now on the backend calls for each frame. False: not at present (there is no backend).
  virtual bool ask_for_calls() = 0;
  // It need not any more; what was called is forgotten.
  virtual void refuse_calls() = 0;
  // Readable when called; by queue.
  virtual std::span<const int> call_fds() const = 0;
};

}  // namespace testbed::load
