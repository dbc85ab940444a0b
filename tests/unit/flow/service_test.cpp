// The methods' documents: what is wrong in them is named, and changes nothing.
#include <boost/test/unit_test.hpp>

#include "tests/unit/flow/memory_transport.hpp"

using namespace testbed;
using namespace testbed::flow;
using nlohmann::json;

namespace {

struct Asked : World {
  Error refused(const std::string& method, const json& params) {
    for (auto& [known, handler] : service.methods())
      if (known == method) {
        const auto result = handler(params);
        BOOST_REQUIRE_MESSAGE(!result.has_value(), method + " accepted " + params.dump());
        return result.error();
      }
    BOOST_FAIL("no method " + method);
    return {};
  }
  json sending(const json& change) {
    json params = {{"flow", 1},
                   {"frontend", "a"},
                   {"rate_pps", 100},
                   {"src", to_string(mac(0))},
                   {"dst", to_string(mac(1))}};
    params.update(change);
    return params;
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(service, Asked)

BOOST_AUTO_TEST_CASE(every_mistake_is_named_by_its_key) {
  const std::pair<const char*, json> cases[] = {
      {"flow", {{"flow", 70000}}},
      {"frontend", {{"frontend", 3}}},
      {"src", {{"src", "02:00"}}},
      {"dst", {{"dst", "ff:ff:ff:ff:ff:ff"}}},
      {"rate_pps", {{"window", 10}}},
      {"rate_pps", {{"rate_pps", -1}}},
      {"rate_pps", {{"rate_pps", "fast"}}},
      {"streams", {{"streams", 0}}},
      {"queue", {{"queue", -2}}},
      {"sizes[0].min", {{"sizes", {{{"min", 59}}}}}},
      {"sizes[0].max", {{"sizes", {{{"min", 100}, {"max", 99}}}}}},
      {"sizes", {{"sizes", json::array()}}},
      {"sizes", {{"sizes", {{{"weight", 0}}}}}},
      {"speed", {{"speed", 1}}},
  };
  for (const auto& [path, change] : cases) {
    const Error error = refused("flow.send", sending(change));
    BOOST_TEST((error.code == Errc::invalid_argument));
    BOOST_REQUIRE(!error.mistakes.empty());
    BOOST_TEST(error.mistakes[0].path == path, change.dump() << ": " << error.message);
  }
  BOOST_TEST(engine.senders().empty());
}

BOOST_AUTO_TEST_CASE(an_end_that_does_not_exist_and_a_frame_or_queue_it_does_not_have_are_refused) {
  BOOST_TEST((refused("flow.send", sending({{"frontend", "z"}})).code == Errc::not_found));
  transports[0]->longest = 1518;
  BOOST_TEST((refused("flow.send", sending({{"sizes", {{{"min", 64}, {"max", 1519}}}}})).code ==
              Errc::invalid_argument));
  BOOST_TEST((refused("flow.send", sending({{"queue", 1}})).code == Errc::invalid_argument));
  call("flow.send", sending({{"sizes", {{{"min", 64}, {"max", 1518}}}}}));
}

BOOST_AUTO_TEST_CASE(flows_nobody_made_are_not_found) {
  for (const char* method : {"flow.start", "flow.stop", "flow.remove", "flow.report", "flow.set"})
    BOOST_TEST((refused(method, {{"flow", 5}}).code == Errc::not_found));
}

BOOST_AUTO_TEST_CASE(a_document_that_is_no_object_is_a_mistake) {
  for (const char* method :
       {"flow.send", "flow.expect", "flow.set", "flow.start", "flow.report", "flow.remove"})
    for (const json& wrong : {json(3), json::array(), json("flow")})
      BOOST_TEST((refused(method, wrong).code == Errc::invalid_argument));
}

BOOST_AUTO_TEST_CASE(a_rate_cannot_be_set_on_a_closed_loop) {
  make_flow({{"window", 8}});
  BOOST_TEST((refused("flow.set", {{"flow", 1}, {"rate_pps", 5}}).code == Errc::invalid_argument));
}

BOOST_AUTO_TEST_CASE(counts_say_what_each_end_knows) {
  make_flow({{"rate_pps", 10000}});
  call("flow.start");
  pass(10 * kMs, [this] { carry_both(); });
  const json counts = call("flow.counts")["1"];
  for (const char* key : {"sent", "blocked", "received", "lost", "duplicated", "reordered", "corrupted"})
    BOOST_TEST(counts.contains(key));
  BOOST_TEST(counts["received"].get<int>() > 0);
}

BOOST_AUTO_TEST_CASE(a_removed_flow_is_gone_from_every_report) {
  make_flow({{"rate_pps", 10000}});
  call("flow.remove", {{"flow", 1}});
  BOOST_TEST(call("flow.report").empty());
  BOOST_TEST(call("flow.counts").empty());
  pass(kMs, [this] { carry_both(); });
}

BOOST_AUTO_TEST_SUITE_END()
