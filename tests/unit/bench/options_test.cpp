// What circulate.start refuses, and how many frames it lets go round.
#include <boost/test/unit_test.hpp>

#include "emu/bench/loop_options.hpp"

using namespace testbed;
using namespace testbed::bench;
using nlohmann::json;

namespace {

json order(const json& frontend = json::object(), const json& change = json::object()) {
  json frontends = json::array();
  for (int i = 0; i < 2; ++i) {
    json one = {{"name", "f" + std::to_string(i)},
                {"path", "/tmp/f" + std::to_string(i)},
                {"role", "client"},
                {"queue_size", 1024},
                {"mac", "02:00:00:00:00:0" + std::to_string(i + 1)}};
    one.update(frontend);
    frontends.push_back(one);
  }
  json whole = {{"frontends", frontends}};
  whole.update(change);
  return whole;
}

uint16_t window(const json& params) {
  const auto loop = read_loop(params);
  BOOST_REQUIRE_MESSAGE(loop.has_value(), (loop ? std::string() : loop.error().message));
  return loop->shape.window;
}

std::string refusal(const json& params) {
  const auto loop = read_loop(params);
  BOOST_REQUIRE(!loop.has_value());
  return loop.error().message;
}

}  // namespace

BOOST_AUTO_TEST_CASE(three_quarters_of_a_receive_ring_go_round) {
  BOOST_TEST(window(order()) == 768);
}

BOOST_AUTO_TEST_CASE(frames_of_several_buffers_are_fewer) {
  BOOST_TEST(window(order(json::object(), {{"size", 9000}})) == 1024 / 5 * 3 / 4);
}

BOOST_AUTO_TEST_CASE(there_is_a_frame_for_every_address) {
  BOOST_TEST(window(order(json::object(), {{"macs", 1000}})) == 1000);
}

BOOST_AUTO_TEST_CASE(more_addresses_than_a_ring_has_room_for_are_refused) {
  BOOST_TEST(refusal(order(json::object(), {{"macs", 1025}})).starts_with("macs: 1025"));
  BOOST_TEST(refusal(order(json::object(), {{"macs", 300}, {"size", 9000}})).starts_with("macs: 300"));
}

BOOST_AUTO_TEST_CASE(mistakes_are_told) {
  BOOST_TEST(refusal({{"frontends", json::array()}}).find("two are needed") != std::string::npos);
  BOOST_TEST(refusal(order({{"queues", 2}})).starts_with("queues"));
  BOOST_TEST(refusal(order({{"max_frame", 512}}, {{"size", 1518}})).starts_with("size"));
  BOOST_TEST(refusal(order(json::object(), {{"size", 60}})).find("size") != std::string::npos);
}
