// Where a packed ring goes on after its device was killed: exhaustively, against a model of the driver and of
// librte_vhost.
#include <boost/test/unit_test.hpp>

#include "ring_model.hpp"
#include "tests/support/effort.hpp"

using namespace testbed;
using namespace testbed::test;
using gate::DescWord;
using gate::ResumeSource;

namespace {

constexpr uint16_t kBurst = 32;

std::vector<RingSetup> all_setups(bool undo_log) {
  std::vector<RingSetup> all;
  for (const uint16_t size : {1, 2, 3, 4, 7, 8, 16, 64, 256, 257})
    for (const uint16_t chain : {1, 2, 3, 8})
      for (const bool in_order : {false, true})
        for (const bool writes : {false, true})
          for (const bool every : {false, true}) {
            if (chain > size || (in_order && !undo_log)) continue;
            all.push_back({size, chain, in_order, writes, every, undo_log});
          }
  return all;
}

void drive(RingModel& ring, uint64_t operations) {
  for (uint64_t i = 0; i < operations; ++i) {
    if (ring.pick(0, 2) == 0)
      ring.reap();
    else
      ring.make_available();
  }
}

std::string describe(const RingSetup& s, uint64_t seed) {
  return "size " + std::to_string(s.size) + " chains to " + std::to_string(s.longest_chain) +
         (s.in_order ? " in order" : "") + (s.device_writes ? " receive" : " transmit") +
         (s.id_in_every_slot ? " ids everywhere" : "") + " seed " + std::to_string(seed);
}

// Life of a ring: work, a kill after some store, a driver that goes on alone, a new device; several times
// over.
void live_and_die(const RingSetup& setup, uint64_t seed) {
  BOOST_TEST_CONTEXT(describe(setup, seed)) {
    RingModel ring(setup, seed);
    uint64_t bound = 0;
    for (int life = 0; life < 4; ++life) {
      for (uint64_t i = ring.pick(0, 12); i > 0; --i) {
        drive(ring, ring.pick(1, 2u * setup.size + 4));
        BOOST_REQUIRE(ring.burst(-1));
      }
      drive(ring, ring.pick(1, 2u * setup.size + 4));
      if (!ring.burst(static_cast<int>(ring.pick(0, 3 * kBurst + 4)))) bound += kBurst;
      if (ring.pick(0, 1) == 0) drive(ring, ring.pick(0, 3u * setup.size));
      const bool busy = ring.pick(0, 1) == 0;
      ring.resume([&] {
        if (busy) drive(ring, ring.pick(0, 4));
      });
    }
    // Nothing may be stuck: the driver gets back all it has given.
    for (int i = 0; i < 4 * setup.size + 8 && ring.outstanding() > 0; ++i) {
      BOOST_REQUIRE(ring.burst(-1));
      ring.reap();
    }
    BOOST_REQUIRE_EQUAL(ring.outstanding(), 0u);
    if (setup.undo_log) BOOST_REQUIRE_LE(ring.lost(), bound);
  }
}

DescWord word(bool avail, bool used, uint16_t id = 0, uint16_t extra = 0, uint32_t length = 100) {
  return {length, id,
          static_cast<uint16_t>((avail ? wire::kPackedAvail : 0) | (used ? wire::kPackedUsed : 0) | extra)};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(packed_resume)

BOOST_AUTO_TEST_CASE(with_the_undo_log_a_kill_at_any_store_repeats_nothing_and_loses_at_most_its_burst) {
  for (const RingSetup& setup : all_setups(true))
    for (uint64_t seed = 0; seed < effort(60); ++seed) live_and_die(setup, seed);
}

BOOST_AUTO_TEST_CASE(a_fresh_ring_of_a_rebooted_guest_wins_over_what_was_remembered) {
  std::vector<DescWord> ring(8, word(true, false));
  const gate::RingFacts facts{
      ring, wire::kPositionStart, false, false, true, gate::Remembered{5 | wire::kPositionWrap, {}}};
  const auto point = gate::find_resume_point(facts);
  BOOST_TEST(point.position == wire::kPositionStart);
  BOOST_TEST(gate::to_string(point.source) == "frontend");
}

BOOST_AUTO_TEST_CASE(a_stale_base_of_the_frontend_loses_against_the_descriptors) {
  // Slots 0..2 were given back, 3 and 4 wait; QEMU says that nothing has happened yet.
  std::vector<DescWord> ring(8, word(false, false));
  for (int i : {0, 1, 2}) ring[i] = word(true, true, static_cast<uint16_t>(i));
  for (int i : {3, 4}) ring[i] = word(true, false, static_cast<uint16_t>(i));
  const auto point = gate::find_resume_point({ring, wire::kPositionStart, true, false, false, {}});
  BOOST_TEST(point.position == (3 | wire::kPositionWrap));
  BOOST_TEST(gate::to_string(point.source) == "ring");
  BOOST_TEST(point.commits.empty());
}

BOOST_AUTO_TEST_CASE(the_base_of_an_orderly_stop_is_believed) {
  std::vector<DescWord> ring(8, word(false, false));
  for (int i : {0, 1, 2}) ring[i] = word(true, true, static_cast<uint16_t>(i));
  const auto point = gate::find_resume_point({ring, 3 | wire::kPositionWrap, true, false, false, {}});
  BOOST_TEST(point.position == (3 | wire::kPositionWrap));
  BOOST_TEST(gate::to_string(point.source) == "frontend");
}

BOOST_AUTO_TEST_CASE(the_rest_of_a_chain_that_was_given_back_is_not_taken_for_a_buffer) {
  std::vector<DescWord> ring(8, word(false, false));
  ring[0] = word(true, true, 7, wire::kDescNext);  // the head: given back; its other slots look available
  ring[1] = word(true, false, 7, wire::kDescNext);
  ring[2] = word(true, false, 7);
  ring[3] = word(true, false, 4);
  const auto point = gate::find_resume_point({ring, wire::kPositionStart, true, false, false, {}});
  BOOST_TEST(point.position == (3 | wire::kPositionWrap));
  BOOST_TEST(point.commits.empty());
}

BOOST_AUTO_TEST_CASE(the_unflagged_head_of_a_torn_burst_is_given_back_with_nothing_in_it) {
  std::vector<DescWord> ring(8, word(false, false));
  ring[0] = word(true, true, 0);
  ring[1] = word(true, false, 1);  // the library would have flagged it last
  ring[2] = word(true, true, 2);
  ring[3] = word(true, true, 3);
  ring[4] = word(true, false, 4);
  const auto point = gate::find_resume_point({ring, wire::kPositionStart, true, false, false, {}});
  BOOST_TEST(point.position == (4 | wire::kPositionWrap));
  BOOST_REQUIRE_EQUAL(point.commits.size(), 1u);
  BOOST_TEST(point.commits[0].slot == 1);
  BOOST_TEST(point.commits[0].desired.length == 0u);
  BOOST_TEST(point.commits[0].desired.id == 1);
  BOOST_TEST((point.commits[0].desired.flags == (wire::kPackedAvail | wire::kPackedUsed)));
}

BOOST_AUTO_TEST_CASE(lengths_that_a_dying_burst_had_overwritten_are_put_back) {
  std::vector<DescWord> ring(4, word(true, false, 0, wire::kDescWrite, 2048));
  const std::vector<DescWord> undo(ring.begin(), ring.begin() + 2);
  ring[0].length = ring[1].length = 60;  // no flag was written yet
  const auto point = gate::find_resume_point(
      {ring, wire::kPositionStart, true, false, true, gate::Remembered{wire::kPositionStart, undo}});
  BOOST_TEST(point.position == wire::kPositionStart);
  BOOST_TEST(point.commits.empty());
  BOOST_REQUIRE_EQUAL(point.restores.size(), 2u);
  BOOST_TEST(point.restores[1].desired.length == 2048u);
}

BOOST_AUTO_TEST_CASE(a_remembered_position_that_the_ring_contradicts_is_not_used) {
  std::vector<DescWord> ring(8, word(false, false));
  for (int i : {0, 1, 2}) ring[i] = word(true, true, static_cast<uint16_t>(i));
  ring[3] = word(true, false, 3);
  for (const uint16_t wrong : {1 | wire::kPositionWrap, 6 | wire::kPositionWrap, 3, 0x7fff, 0xffff}) {
    const auto point = gate::find_resume_point(
        {ring, wire::kPositionStart, true, false, false, gate::Remembered{static_cast<uint16_t>(wrong), {}}});
    BOOST_TEST(point.position == (3 | wire::kPositionWrap));
    BOOST_TEST(gate::to_string(point.source) == "ring");
  }
}

// With its back-end away QEMU drops what is on the transmit queue, from a stale position: slot 0 in the next
// lap.
BOOST_AUTO_TEST_CASE(what_the_frontend_gave_back_out_of_turn_is_offered_again_without_octets) {
  std::vector<DescWord> ring(8, word(false, false));  // given back in lap 0, up to slot 5
  for (int i : {6, 7}) ring[i] = word(false, true, static_cast<uint16_t>(i));
  ring[0] = word(true, true, 20, 0, 0);
  for (int i : {1, 2}) ring[i] = word(true, false, static_cast<uint16_t>(20 + i));
  const gate::RingFacts facts{ring, 1 | wire::kPositionWrap, true, false, false, gate::Remembered{6, {}}};
  const auto point = gate::find_resume_point(facts);
  BOOST_TEST(point.position == 6);
  BOOST_TEST(gate::to_string(point.source) == "remembered");
  BOOST_TEST(point.commits.empty());
  BOOST_REQUIRE_EQUAL(point.restores.size(), 1u);
  BOOST_TEST(point.restores[0].slot == 0);
  BOOST_TEST((point.restores[0].desired == word(true, false, 20, 0, 0)));
}

BOOST_AUTO_TEST_CASE(a_whole_chain_that_the_frontend_gave_back_is_emptied) {
  std::vector<DescWord> ring(8, word(false, false));
  ring[7] = word(false, true, 7);
  ring[0] = word(true, true, 20, 0, 0);
  ring[1] = word(true, false, 20, wire::kDescNext);
  ring[2] = word(true, false, 20);
  ring[3] = word(true, false, 21);
  const auto point =
      gate::find_resume_point({ring, 3 | wire::kPositionWrap, true, false, false, gate::Remembered{7, {}}});
  BOOST_TEST(point.position == 7);
  BOOST_REQUIRE_EQUAL(point.restores.size(), 3u);
  BOOST_TEST((point.restores[0].desired == word(true, false, 20, wire::kDescNext, 0)));
  BOOST_TEST((point.restores[1].desired == word(true, false, 20, wire::kDescNext, 0)));
  BOOST_TEST((point.restores[2].desired == word(true, false, 20, 0, 0)));
}

BOOST_AUTO_TEST_CASE(a_fresh_ring_that_the_frontend_began_to_serve_wins_over_what_was_remembered) {
  std::vector<DescWord> ring(8, word(false, false));
  for (int i : {0, 1}) ring[i] = word(true, true, static_cast<uint16_t>(i), 0, 0);
  for (int i : {2, 3, 4, 5}) ring[i] = word(true, false, static_cast<uint16_t>(i));
  for (const uint16_t stale : {4 | wire::kPositionWrap, 6}) {
    const auto point = gate::find_resume_point({ring, 2 | wire::kPositionWrap, true, false, false,
                                                gate::Remembered{static_cast<uint16_t>(stale), {}}});
    BOOST_TEST(point.position == (2 | wire::kPositionWrap));
    BOOST_TEST(point.restores.empty());
  }
}

BOOST_AUTO_TEST_CASE(a_ring_no_driver_could_have_written_is_left_to_the_frontend) {
  std::vector<DescWord> ring;
  for (int i = 0; i < 8; ++i) ring.push_back(word(i % 2 == 0, false));
  const auto point = gate::find_resume_point({ring, 42, true, false, false, {}});
  BOOST_TEST(point.position == 42);
  BOOST_TEST(gate::find_resume_point({{}, 42, true, false, false, {}}).position == 42);
}

BOOST_AUTO_TEST_SUITE_END()
