// A hub: every frame leaves by all members but the one it came in by. No options.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/graph/brick.hpp"
#include "core/graph/brick_factory.hpp"

namespace testbed {

class HubBrick final : public Brick {
 public:
  using Brick::Brick;
  static BrickType type();

  Result<Member> attach(const std::string& side, const std::string& peer) override;
  void detach(Member member) override;
  Result<void> configure(const nlohmann::json& options) override;
  nlohmann::json describe() const override;
  void process(WorkerContext& worker, Member from, Packet* const* packets, uint16_t count,
               Emitter& out) override;

 private:
  std::vector<bool> taken_;  // by member; control thread only
};

}  // namespace testbed
