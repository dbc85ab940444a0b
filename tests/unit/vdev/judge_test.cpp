// Does the judge of messages notice? Each case is one that no gate may let through.
#include "rules_rig.hpp"
#include "tests/support/message_judge.hpp"

using namespace testbed;
using namespace testbed::test;
using wire::Feature;
using wire::Request;

namespace {

// What a judge says of the last message of a session.
std::string last_word(const std::vector<Said>& session, uint64_t offered = kOffered) {
  MessageJudge judge(offered, 2);
  std::string word;
  for (const Said& said : session) {
    std::vector<JudgedFd> fds;
    for (const gate::FdFacts& fd : said.fds)
      fds.push_back({fd.kind == gate::FdFacts::Kind::file, fd.kind == gate::FdFacts::Kind::eventfd, fd.size});
    word = judge.see(said.message, fds);
  }
  return word;
}

// A legal handshake, and then this.
std::string after_handshake(const Said& said, uint64_t features = 0) {
  std::vector<Said> session = handshake(features);
  session.push_back(said);
  return last_word(session);
}

std::string of_ring(const wire::VringAddr& at, uint32_t size = 8) {
  return last_word({said(Request::SET_FEATURES, uint64_t{0}), one_region(),
                    said(Request::SET_VRING_NUM, wire::VringState{0, size}),
                    said(Request::SET_VRING_ADDR, at),
                    said(Request::SET_VRING_KICK, uint64_t{0}, {eventfd()})});
}

std::string of_table(std::vector<wire::MemoryRegion> regions) {
  return last_word({table(regions, std::vector(regions.size(), file(kMemory)))});
}

}  // namespace

BOOST_AUTO_TEST_SUITE(message_judge)

BOOST_AUTO_TEST_CASE(a_legal_handshake_is_nothing_to_speak_of) {
  BOOST_TEST(last_word(handshake(0)) == "");
  BOOST_TEST(last_word(handshake(bit(Feature::RING_PACKED))) == "");
}

BOOST_AUTO_TEST_CASE(a_ring_in_the_wrong_place_is_noticed) {
  BOOST_TEST(of_ring(address()) == "");
  BOOST_TEST(of_ring({0, 0, kUser + 8, kUser + 0x2000, kUser + 0x1000, 0}) == "a ring that is not aligned");
  BOOST_TEST(of_ring({0, 0, kUser, kUser + 0x2000, kUser + kMemory - 4, 0}) == "a ring outside of memory");
  BOOST_TEST(of_ring({0, 0, kUser, kUser + 0x2000, kUser + 126, 0}) == "a ring in itself");
  BOOST_TEST(of_ring(address(), 3) == "a split ring whose size is no power of two");
}

BOOST_AUTO_TEST_CASE(a_wrong_table_is_noticed) {
  BOOST_TEST(of_table({{0, 4096, kUser, 0}}) == "");
  BOOST_TEST(of_table({}) == "a table of no such length");
  BOOST_TEST(of_table({{0, 0, kUser, 0}}) == "an empty region");
  BOOST_TEST(of_table({{0, 4096, kUser, kMemory}}) == "a region that lies not in its file");
  BOOST_TEST(of_table({{~uint64_t{0} - 9, 4096, kUser, 0}}) == "a region that wraps around");
  BOOST_TEST(of_table({{0, 4096, kUser, 0}, {4096, 4096, kUser + 4095, 0}}) == "regions that overlap");
  BOOST_TEST(after_handshake(table({{0, 4096, kUser, 0}}, {file(4096)})) == "a ring outside of memory");
}

BOOST_AUTO_TEST_CASE(what_a_running_ring_does_not_survive_is_noticed) {
  BOOST_TEST(after_handshake(said(Request::SET_VRING_NUM, wire::VringState{0, 16})) ==
             "another size for a ring that runs");
  BOOST_TEST(after_handshake(said(Request::SET_VRING_ADDR, wire::VringAddr{})) ==
             "another place for a ring that runs");
  BOOST_TEST(after_handshake(said(Request::SET_FEATURES, bit(Feature::RING_PACKED))) ==
             "other features under a ring");
  BOOST_TEST(after_handshake(said(Request::SET_VRING_BASE, wire::VringState{0, 8}),
                             bit(Feature::RING_PACKED)) == "a position beyond a ring");
  BOOST_TEST(after_handshake(said(Request::SET_VRING_BASE, wire::VringState{0, 65536})) ==
             "a position beyond an index");
}

BOOST_AUTO_TEST_CASE(what_there_is_not_is_noticed) {
  BOOST_TEST(after_handshake(said(Request::POSTCOPY_END)) == "no request of a net device");
  BOOST_TEST(after_handshake(said(Request::SET_VRING_NUM, wire::VringState{4, 8})) ==
             "a virtqueue there is not");
  BOOST_TEST(after_handshake(said(Request::SET_VRING_KICK, uint64_t{4}, {eventfd()})) ==
             "a virtqueue there is not");
  BOOST_TEST(after_handshake(said(Request::SET_VRING_KICK, uint64_t{2}, {eventfd()})) ==
             "a second pair without NET_MQ");
  BOOST_TEST(after_handshake(said(Request::SET_VRING_NUM, wire::VringState{1, 32769})) ==
             "a size no ring has");
  BOOST_TEST(after_handshake(said(Request::SET_VRING_ENABLE, wire::VringState{0, 2})) ==
             "neither enabled nor disabled");
  BOOST_TEST(last_word({said(Request::SET_FEATURES, bit(Feature::LOG_ALL))}, 0) ==
             "features that were not offered");
}

BOOST_AUTO_TEST_CASE(notifiers_and_logs_that_harm_are_noticed) {
  BOOST_TEST(after_handshake(said(Request::SET_VRING_CALL, uint64_t{0}, {file(8)})) ==
             "a notifier that may hold who notifies");
  BOOST_TEST(after_handshake(said(Request::SET_VRING_CALL, uint64_t{0})) ==
             "not as many notifiers as are said");
  const auto log = [](uint64_t size, uint64_t offset) {
    return said(Request::SET_LOG_BASE, wire::Log{size, offset}, {file(8192)});
  };
  BOOST_TEST(after_handshake(log(4096, 4096)) == "");
  BOOST_TEST(after_handshake(log(4097, 4096)) == "a log that lies not in its file");
  BOOST_TEST(after_handshake(log(8, 8)) == "a log that cannot be mapped");
  BOOST_TEST(after_handshake(log(31, 0), bit(Feature::LOG_ALL)) == "pages that have no bit in the log");
  BOOST_TEST(after_handshake(said(Request::SET_LOG_BASE, wire::Log{8, 0}, {eventfd()})) ==
             "a log in no file");
}

BOOST_AUTO_TEST_SUITE_END()
