// What a sabotaged switch was told to do wrong, and how often.
#pragma once

#include <atomic>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/base/result.hpp"

namespace testbed::sabotage {

struct Order {
  std::string what;           // a saboteur of the catalogue
  std::string port;           // where; empty: at every port
  uint64_t every = 1;         // the first of so many occasions is spoilt
  uint64_t skip = 0;          // after so many that are not
  uint64_t from_session = 0;  // not before this session of the port, in this life of the process
};

// A list of {"what", "every", "skip", "port", "from_session"}. Names are looked up by the catalogue.
Result<std::vector<Order>> read_orders(const nlohmann::json& list);

// The occasions of one order at one port. `sessions`: how many the port has had.
class Turn {
 public:
  Turn(const Order& order, const std::atomic<uint64_t>& sessions) : order_(order), sessions_(sessions) {}

  // An occasion: is this one to be spoilt? Any thread.
  bool now() {
    if (sessions_.load(std::memory_order_acquire) < order_.from_session) return false;
    const uint64_t occasion = occasions_.fetch_add(1, std::memory_order_relaxed);
    return occasion >= order_.skip && (occasion - order_.skip) % order_.every == 0;
  }

 private:
  const Order order_;
  const std::atomic<uint64_t>& sessions_;
  std::atomic<uint64_t> occasions_ = 0;
};

}  // namespace testbed::sabotage
