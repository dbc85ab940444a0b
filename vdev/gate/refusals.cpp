#include "vdev/gate/refusals.hpp"

#include "core/base/clock.hpp"

namespace testbed::gate {

void Refusals::note(uint64_t session, const Refusal& refusal, bool ended) {
  ++counts_[static_cast<size_t>(refusal.reason)];
  ++untold_;
  if (!may_tell(now_ns())) return;
  events_.emit("session.refused", {{"port", port_},
                                   {"session", session},
                                   {"reason", to_string(refusal.reason)},
                                   {"detail", refusal.detail},
                                   {"ended", ended},
                                   {"count", std::exchange(untold_, 0)}});
}

bool Refusals::may_tell(uint64_t now) {
  if (now - second_began_ns_ >= 1'000'000'000) {
    second_began_ns_ = now;
    told_ = 0;
  }
  if (told_ == kEachSecond) return false;
  ++told_;
  return true;
}

nlohmann::json Refusals::counts() const {
  nlohmann::json all = nlohmann::json::object();
  for (size_t i = 0; i < kReasons; ++i)
    if (counts_[i] > 0) all[std::string(kReasonNames[i])] = counts_[i];
  return all;
}

}  // namespace testbed::gate
