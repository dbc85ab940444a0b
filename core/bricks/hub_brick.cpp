#include "core/bricks/hub_brick.hpp"

#include <algorithm>
#include <memory>

#include "core/graph/emitter.hpp"

namespace testbed {

BrickType HubBrick::type() {
  return {.sides = {},
          .check = [](Options& options, const std::set<std::string>&) { options.done(); },
          .create = [](const std::string& name, const nlohmann::json&, BrickEnvironment&)
              -> Result<std::unique_ptr<Brick>> { return std::make_unique<HubBrick>(name); }};
}

Result<Member> HubBrick::attach(const std::string& /*side*/, const std::string& /*peer*/) {
  const auto free = std::ranges::find(taken_, false);
  const auto member = static_cast<Member>(free - taken_.begin());
  if (free == taken_.end())
    taken_.push_back(true);
  else
    *free = true;
  return member;
}

void HubBrick::detach(Member member) {
  taken_[member] = false;
}

Result<void> HubBrick::configure(const nlohmann::json& /*options*/) {
  return {};
}

nlohmann::json HubBrick::describe() const {
  return {{"type", "hub"}};
}

void HubBrick::process(WorkerContext& /*worker*/, Member from, Packet* const* packets, uint16_t count,
                       Emitter& out) {
  for (uint16_t i = 0; i < count; ++i) out.flood(packets[i], from);
}

}  // namespace testbed
