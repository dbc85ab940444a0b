// A dirty log that begins in the middle of its file. librte_vhost 22.11.7 to 22.11.11 maps such a log at its
// offset and adds the offset once more, so that the first bit it sets is written behind the mapping. It gets
// memory of ours with offset 0 instead; when it has mapped that, the true log is mapped in the same place,
// and the bits that were set meanwhile are carried over.
#pragma once

#include <optional>

#include "core/base/fd.hpp"
#include "core/base/result.hpp"
#include "vdev/gate/message.hpp"

namespace testbed::vhost {

class LogStandIn {
 public:
  // Exchanges descriptor and offset of a SET_LOG_BASE that needs it; nullopt: this one does not.
  static Result<std::optional<LogStandIn>> replace(gate::Message& request);

  // After the library has mapped what it got.
  Result<void> resolve() const;

 private:
  LogStandIn(Fd log, Fd stand_in, wire::Log where)
      : log_(std::move(log)), stand_in_(std::move(stand_in)), where_(where) {}

  Fd log_;
  Fd stand_in_;
  wire::Log where_;
};

}  // namespace testbed::vhost
