// A packed ring with a driver at one end and, at the other, a device that writes what librte_vhost writes,
// store by store, so that it can be killed between any two stores. For the tests of resumption.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <vector>

#include "vdev/gate/packed_resume.hpp"

namespace testbed::test {

struct RingSetup {
  uint16_t size;
  uint16_t longest_chain;
  bool in_order;
  bool device_writes;
  bool id_in_every_slot;  // as Linux writes chains; else only in the last, as the specification asks
  bool undo_log;
  uint16_t burst = 32;
};

struct Buffer {
  uint64_t serial;
  uint16_t slot, slots, id;
  std::vector<gate::DescWord> words;  // as the driver wrote them
  bool given_back = false;            // the device flagged it, or a flag covers it
  bool delivered = false;             // its burst was completed: the application has the packet
};

class RingModel {
 public:
  RingModel(const RingSetup& setup, uint64_t seed);

  // -- The driver
  bool make_available();  // one buffer of random length; false: no room
  void reap();            // takes back all that the device has given
  // -- The device
  // Runs a burst; stops dead after `stores` stores (a negative number: never). Returns whether it was
  // completed.
  bool burst(int stores);
  // A new device finds the position. `between` runs after the ring was looked at and before it is changed.
  gate::ResumePoint resume(const std::function<void()>& between);

  uint64_t made() const { return next_serial_; }
  uint64_t outstanding() const { return buffers_.size(); }
  uint64_t lost() const { return lost_; }  // given back, never delivered
  std::mt19937_64& random() { return random_; }
  uint64_t pick(uint64_t low, uint64_t high) {
    return std::uniform_int_distribution<uint64_t>(low, high)(random_);
  }

 private:
  struct Killed {};
  void store(const std::function<void()>& what);
  gate::DescWord& word(uint32_t slot) { return ring_[slot % setup_.size]; }
  Buffer* head_at(uint32_t slot);
  std::vector<Buffer*> collect(uint16_t most);
  void log_burst(const std::vector<Buffer*>& burst);
  void finish(const std::vector<Buffer*>& burst);
  void transmit_single(const std::vector<Buffer*>& burst);
  void transmit_in_order(const std::vector<Buffer*>& burst);
  void shadow(const std::vector<Buffer*>& burst);
  void batch(const std::vector<Buffer*>& burst);
  void flag(Buffer& buffer, uint16_t used_lap);
  uint16_t used_flags(bool lap, bool write) const;

  RingSetup setup_;
  std::mt19937_64 random_;
  std::vector<gate::DescWord> ring_;
  // driver
  uint32_t make_slot_ = 0, reap_slot_ = 0;
  bool make_lap_ = true, reap_lap_ = true;
  uint16_t free_slots_;
  std::vector<uint16_t> free_ids_;
  std::map<uint16_t, Buffer> buffers_;  // by id
  uint64_t next_serial_ = 0, lost_ = 0;
  // device
  uint32_t slot_ = 0;
  bool lap_ = true;
  int stores_left_ = -1;
  bool served_ = false;
  // the record
  uint16_t position_ = wire::kPositionStart;
  std::vector<gate::DescWord> undo_, undo_next_;
};

}  // namespace testbed::test
