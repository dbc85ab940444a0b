// Memory tables and dirty logs.
#include <boost/test/unit_test.hpp>

#include "rules_rig.hpp"

using namespace testbed;
using namespace testbed::test;
using gate::FdFacts;
using wire::Feature;
using wire::MemoryRegion;
using wire::ProtocolFeature;
using wire::Request;

namespace {

std::string judged(const std::vector<MemoryRegion>& regions, std::vector<uint64_t> sizes) {
  std::vector<FdFacts> files;
  for (const uint64_t size : sizes) files.push_back(file(size));
  return RulesRig().judge(table(regions, files));
}

constexpr uint64_t kTop = ~uint64_t{0};

}  // namespace

BOOST_AUTO_TEST_SUITE(memory_rules)

BOOST_AUTO_TEST_CASE(one_to_eight_regions_are_a_table) {
  for (uint32_t count = 0; count <= 9; ++count) {
    std::vector<MemoryRegion> regions;
    for (uint64_t i = 0; i < count; ++i) regions.push_back({i << 20, 4096, kUser + (i << 20), 0});
    BOOST_TEST(judged(regions, std::vector<uint64_t>(count, 4096)) ==
               (count >= 1 && count <= 8 ? "" : "memory"));
  }
}

BOOST_AUTO_TEST_CASE(a_table_shorter_than_it_says_is_malformed) {
  RulesRig rig;
  Said two = table({{0, 4096, kUser, 0}, {8192, 4096, kUser + 8192, 0}}, {file(4096), file(4096)});
  two.message.payload.resize(8 + 2 * 32);
  BOOST_TEST(rig.judge(two) == "");
  two.message.payload.resize(8 + 32);
  BOOST_TEST(rig.judge(two) == "malformed");
}

BOOST_AUTO_TEST_CASE(a_region_lies_whole_in_its_file) {
  BOOST_TEST(judged({{0, 8192, kUser, 0}}, {8192}) == "");
  BOOST_TEST(judged({{0, 8192, kUser, 0}}, {8191}) == "memory");
  BOOST_TEST(judged({{0, 4096, kUser, 4096}}, {8192}) == "");
  BOOST_TEST(judged({{0, 4096, kUser, 4097}}, {8192}) == "memory");
  BOOST_TEST(judged({{0, 4095, kUser, 4097}}, {8192}) == "");  // unaligned, as some front-ends have it
  BOOST_TEST(judged({{0, 4096, kUser, 0}}, {0}) == "memory");
}

BOOST_AUTO_TEST_CASE(no_region_is_empty_or_wraps_around) {
  BOOST_TEST(judged({{0, 0, kUser, 0}}, {4096}) == "memory");
  BOOST_TEST(judged({{kTop - 4094, 4096, kUser, 0}}, {4096}) == "memory");
  BOOST_TEST(judged({{0, 4096, kTop - 4094, 0}}, {4096}) == "memory");
  BOOST_TEST(judged({{0, 4096, kUser, kTop - 4094}}, {4096}) == "memory");
  BOOST_TEST(judged({{0, kTop, kUser, 0}}, {4096}) == "memory");
}

BOOST_AUTO_TEST_CASE(no_two_regions_claim_the_same_address) {
  const std::vector<uint64_t> sizes = {8192, 8192};
  BOOST_TEST(judged({{0, 8192, kUser, 0}, {8192, 8192, kUser + 8192, 0}}, sizes) == "");
  BOOST_TEST(judged({{0, 8192, kUser, 0}, {4096, 8192, kUser + 8192, 0}}, sizes) == "memory");
  BOOST_TEST(judged({{0, 8192, kUser, 0}, {0, 8192, kUser + 8192, 0}}, sizes) == "memory");
  BOOST_TEST(judged({{0, 8192, kUser, 0}, {8192, 8192, kUser + 4096, 0}}, sizes) == "memory");
  BOOST_TEST(judged({{8192, 8192, kUser + 8192, 0}, {0, 8193, kUser, 0}}, {8192, 8193}) == "memory");
}

BOOST_AUTO_TEST_CASE(a_new_table_keeps_the_rings_that_run) {
  RulesRig rig = RulesRig::shaken();
  BOOST_TEST(rig.judge(table({{0, kMemory, kUser, 0}, {kMemory, 4096, kUser + kMemory, 0}},
                             {file(kMemory), file(4096)})) == "");
  const Said elsewhere = table({{0, kMemory, 0x1000, 0}}, {file(kMemory)});
  BOOST_TEST(rig.judge(elsewhere) == "memory");
  rig.take(said(Request::GET_VRING_BASE, wire::VringState{0, 0}));
  BOOST_TEST(rig.take(elsewhere) == "");
  // Nobody has said that the ring is still where it was: its size may come before its addresses.
  BOOST_TEST(rig.judge(said(Request::SET_VRING_NUM, wire::VringState{0, 16})) == "");
  // But it does not start there.
  BOOST_TEST(rig.judge(said(Request::SET_VRING_KICK, uint64_t{0}, {eventfd()})) == "vring");
}

// -- The dirty log
struct Logging : RulesRig {
  Logging() : RulesRig(shaken()) {
    take(said(Request::SET_PROTOCOL_FEATURES, bit(ProtocolFeature::LOG_SHMFD)));
  }
  std::string log(uint64_t size, uint64_t offset, uint64_t of_file) const {
    return judge(said(Request::SET_LOG_BASE, wire::Log{size, offset}, {file(of_file)}));
  }
};

BOOST_AUTO_TEST_CASE(a_log_lies_whole_in_its_file) {
  Logging rig;
  BOOST_TEST(rig.log(4096, 0, 4096) == "");
  BOOST_TEST(rig.log(4096, 4096, 8192) == "");
  BOOST_TEST(rig.log(4097, 4096, 8192) == "log");
  BOOST_TEST(rig.log(4096, 0, 4095) == "log");
  BOOST_TEST(rig.log(0, 0, 4096) == "log");
  BOOST_TEST(rig.log(kTop - 4095, 4096, 8192) == "log");
  BOOST_TEST(rig.log(4096, kTop - 4095, 8192) == "log");
  BOOST_TEST(rig.log(4096, 100, 8192) == "log");  // no offset mmap takes
}

BOOST_AUTO_TEST_CASE(a_log_in_use_has_a_bit_for_every_page_of_memory) {
  const uint64_t needed = kMemory / 4096 / 8;
  Logging rig;
  BOOST_TEST(rig.log(needed - 1, 0, 4096) == "");  // logging is off
  rig.take(said(Request::SET_FEATURES, bit(Feature::LOG_ALL)));
  BOOST_TEST(rig.log(needed, 0, 4096) == "");
  BOOST_TEST(rig.log(needed - 1, 0, 4096) == "log");
}

BOOST_AUTO_TEST_CASE(logging_does_not_begin_with_a_log_too_small) {
  Logging rig;
  rig.take(said(Request::SET_LOG_BASE, wire::Log{1, 0}, {file(4096)}));
  BOOST_TEST(rig.judge(said(Request::SET_FEATURES, bit(Feature::LOG_ALL))) == "log");
}

BOOST_AUTO_TEST_CASE(memory_is_not_added_beyond_a_log_in_use) {
  Logging rig;
  rig.take(said(Request::SET_FEATURES, bit(Feature::LOG_ALL)));
  rig.take(said(Request::SET_LOG_BASE, wire::Log{kMemory / 4096 / 8, 0}, {file(4096)}));
  const Said more =
      table({{0, kMemory, kUser, 0}, {kMemory, 4096, kUser + kMemory, 0}}, {file(kMemory), file(4096)});
  BOOST_TEST(rig.judge(more) == "log");
  rig.take(said(Request::SET_LOG_BASE, wire::Log{4096, 0}, {file(4096)}));
  BOOST_TEST(rig.judge(more) == "");
}

BOOST_AUTO_TEST_SUITE_END()
