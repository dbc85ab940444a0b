// One network interface of the guest, by name: what ip and ethtool would do, without either. The interface
// may vanish and come back (its driver is reloaded); every call looks it up anew.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "core/base/result.hpp"

namespace testbed::guest {

struct NetCounters {
  uint64_t rx_packets = 0, tx_packets = 0, rx_bytes = 0, tx_bytes = 0, rx_dropped = 0, tx_dropped = 0;
};

struct QueueCount {
  unsigned current = 1, max = 1;
};

class Netdev {
 public:
  explicit Netdev(std::string name) : name_(std::move(name)) {}

  const std::string& name() const { return name_; }
  // 0 while there is none.
  int index() const;
  bool exists() const { return index() > 0; }
  Result<void> up() const;
  // Carrier, as the backend says it (or up, when there is no backend to say so).
  bool link() const;
  // "" while there is none.
  std::string mac() const;
  NetCounters counters() const;
  // Combined channels (queue pairs). A device without the question has one.
  QueueCount queues() const;
  Result<void> set_queues(unsigned count) const;

 private:
  std::string attribute(const char* file) const;

  std::string name_;
};

}  // namespace testbed::guest
