// What each receive queue cost since it was last asked.
#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "core/worker/balance.hpp"

namespace testbed {

class LoadMeter {
 public:
  // Of all queues of `plan`. A queue that was not there the last time has cost nothing yet. Control thread.
  std::vector<QueueLoad> read(const Plan& plan);

 private:
  std::map<std::pair<const PortCounters*, uint16_t>, uint64_t> last_;
};

}  // namespace testbed
