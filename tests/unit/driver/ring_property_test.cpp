// Both rings against the plainest device, over many laps, in random order.
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <deque>
#include <map>
#include <random>

#include "ring_fixture.hpp"

namespace testbed::driver {
namespace {

struct Case {
  RingOptions options;
  bool shuffled = false;  // the device gives chains back in any order
  bool batched = false;   // IN_ORDER: one entry for several chains
  friend std::ostream& operator<<(std::ostream& out, const Case& c) {
    return out << (c.options.packed ? "packed " : "split ") << c.options.size << " first " << c.options.first
               << (c.options.indirect ? " indirect" : "") << (c.options.in_order ? " in-order" : "")
               << (c.options.event_idx ? " event-idx" : "") << (c.shuffled ? " shuffled" : "")
               << (c.batched ? " batched" : "");
  }
};

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const bool indirect : {false, true})
    for (const bool event_idx : {false, true}) {
      for (const uint16_t size : {1, 2, 4, 256})
        for (const uint16_t first : {0, 65530, 32767})
          for (const bool shuffled : {false, true})
            all.push_back({{size, false, indirect, event_idx, false, 8, first}, shuffled});
      for (const uint16_t size : {1, 2, 3, 7, 256, 257})
        for (const uint16_t first : {0x8000, 0, 1, 0x8001})
          for (const bool shuffled : {false, true})
            if ((first & 0x7fff) < size)
              all.push_back({{size, true, indirect, event_idx, false, 8, first}, shuffled});
      for (const bool batched : {false, true}) {
        all.push_back({{64, false, indirect, event_idx, true, 8, 65500}, false, batched});
        all.push_back({{61, true, indirect, event_idx, true, 8, 0x8000}, false, batched});
      }
    }
  all.push_back({{32768, false, false, false, false, 8, 40000}, true});
  all.push_back({{32768, true, true, false, false, 8, 0x8000}, true});
  return all;
}

class Play {
 public:
  explicit Play(const Case& c)
      : case_(c), fixture_(c.options), random_(c.options.size * 31u + c.options.first) {}

  void run(size_t chains) {
    while (returned_ < chains) {
      offer(pick(1, case_.options.size), chains);
      look();
      give_back(pick(0, held_.size()));
      collect();
    }
    while (!held_.empty() || !out_.empty()) {
      look();
      give_back(held_.size());
      collect();
    }
    BOOST_TEST(fixture_.ring->faults() == RingFaults{});
    BOOST_TEST(fixture_.ring->outstanding() == 0);
    BOOST_TEST(fixture_.ring->room() == case_.options.size);
    BOOST_TEST(fixture_.ring->resume_position() == fixture_.device.used_position());
  }

 private:
  size_t pick(size_t low, size_t high) { return std::uniform_int_distribution<size_t>(low, high)(random_); }

  void offer(size_t wanted, size_t chains) {
    for (size_t i = 0; i < wanted && offered_ < chains + case_.options.size; ++i) {
      std::vector<Segment> segments;
      const size_t count = pick(1, case_.options.indirect ? 8 : std::min<size_t>(4, case_.options.size));
      const size_t readable = pick(0, count);
      for (size_t s = 0; s < count; ++s)
        segments.push_back(
            {0x40000 + pick(0, 1u << 20), static_cast<uint32_t>(pick(1, 2048)), s >= readable});
      const auto token = fixture_.ring->acquire(fixture_.ring->descriptors_for(count));
      if (!token) break;
      BOOST_TEST_REQUIRE(!out_.contains(*token));
      fixture_.ring->add(*token, segments);
      out_[*token] = segments;
      order_.push_back(*token);
      ++offered_;
    }
    fixture_.ring->publish();
  }

  // The device sees every chain as it was built, in the order in which it was offered.
  void look() {
    while (const auto chain = fixture_.device.next()) {
      BOOST_TEST_REQUIRE(!order_.empty());
      const uint16_t token = order_.front();
      order_.pop_front();
      BOOST_TEST_REQUIRE(chain->id == token);
      const auto& segments = out_.at(token);
      BOOST_TEST_REQUIRE(chain->segments.size() == segments.size());
      for (size_t i = 0; i < segments.size(); ++i) {
        const SeenSegment expected{segments[i].gpa, segments[i].length, segments[i].write};
        BOOST_TEST_REQUIRE((chain->segments[i] == expected));
      }
      held_.push_back(*chain);
    }
  }

  uint32_t writable(uint16_t token) const {
    uint32_t sum = 0;
    for (const Segment& segment : out_.at(token)) sum += segment.write ? segment.length : 0;
    return sum;
  }

  void give_back(size_t count) {
    if (case_.batched && count > 0) return give_back_batch(count);
    for (size_t i = 0; i < count; ++i) {
      const size_t which = case_.shuffled ? pick(0, held_.size() - 1) : 0;
      const SeenChain chain = held_[which];
      held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(which));
      const auto length = static_cast<uint32_t>(pick(0, writable(chain.id)));
      fixture_.device.finish(chain, length);
      expected_.push_back({chain.id, length});
    }
  }

  void give_back_batch(size_t count) {
    uint16_t slots = 0;
    for (size_t i = 0; i < count; ++i) {
      slots = static_cast<uint16_t>(slots + held_[i].slots);
      expected_.push_back({held_[i].id, writable(held_[i].id)});
    }
    const SeenChain last = held_[count - 1];
    held_.erase(held_.begin(), held_.begin() + static_cast<std::ptrdiff_t>(count));
    if (case_.options.packed)
      fixture_.device.finish(last, writable(last.id), slots);
    else
      fixture_.device.finish_batch(last, writable(last.id), static_cast<uint16_t>(count));
  }

  // What was given back comes, with its length, in the order of its return, and nothing else does.
  void collect() {
    BOOST_TEST_REQUIRE(fixture_.ring->used_pending() == !expected_.empty());
    std::vector<UsedChain> used(pick(1, 40));
    while (const uint16_t count = fixture_.ring->take(used))
      for (uint16_t i = 0; i < count; ++i) {
        BOOST_TEST_REQUIRE(!expected_.empty());
        BOOST_TEST_REQUIRE(used[i].token == expected_.front().first);
        BOOST_TEST_REQUIRE(used[i].length == expected_.front().second);
        expected_.pop_front();
        out_.erase(used[i].token);
        ++returned_;
      }
    BOOST_TEST_REQUIRE(expected_.empty());
  }

  Case case_;
  RingFixture fixture_;
  std::mt19937 random_;
  std::map<uint16_t, std::vector<Segment>> out_;
  std::deque<uint16_t> order_;
  std::vector<SeenChain> held_;
  std::deque<std::pair<uint16_t, uint32_t>> expected_;
  size_t offered_ = 0, returned_ = 0;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(rings)

BOOST_DATA_TEST_CASE(chains_arrive_as_built_and_come_back_as_returned_over_every_wrap,
                     boost::unit_test::data::make(cases()), c) {
  // Three times round the indices for small rings; once and a half for the largest.
  Play(c).run(c.options.size > 1000 ? 50'000 : std::max<size_t>(3 * c.options.size, 1000));
}

BOOST_AUTO_TEST_CASE(a_split_index_goes_round_sixty_five_thousand_three_times) {
  Play({{256, false, false, true, false, 8, 65530}, false}).run(3 * 65536);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace testbed::driver
