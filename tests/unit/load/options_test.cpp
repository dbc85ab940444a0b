#include <boost/test/unit_test.hpp>

#include "emu/load/frontend_options.hpp"

using namespace testbed;
using namespace testbed::load;
using nlohmann::json;

namespace {

json minimal() {
  return {{"name", "f0"}, {"path", "/tmp/f0.sock"}, {"mac", "02:00:00:00:00:01"}};
}

Result<FrontendOptions> with(const json& change) {
  json params = minimal();
  params.update(change);
  return read_frontend(params);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(frontend_options)

BOOST_AUTO_TEST_CASE(the_device_gets_what_was_asked_for) {
  const auto options =
      with({{"role", "server"}, {"ring", "packed"}, {"queues", 4}, {"queue_size", 512}, {"in_order", false}});
  BOOST_REQUIRE(options.has_value());
  BOOST_TEST(device_arguments(*options) ==
             "path=/tmp/"
             "f0.sock,mac=02:00:00:00:00:01,queues=4,queue_size=512,server=1,packed_vq=1,in_order=0,mrg_"
             "rxbuf=1,vectorized=0");
}

BOOST_AUTO_TEST_CASE(without_mergeable_buffers_a_frame_must_fit_one) {
  BOOST_TEST(with(json::object())->max_frame == 9000u);
  BOOST_TEST(with({{"mergeable", false}})->max_frame == 1518u);
  BOOST_TEST(with({{"mergeable", false}, {"max_frame", 9000}})->max_frame == 9000u);
}

BOOST_AUTO_TEST_CASE(every_mistake_is_named_by_its_key) {
  const std::pair<const char*, json> cases[] = {
      {"name", {{"name", ""}}},
      {"path", {{"path", std::string(108, 'x')}}},
      {"path", {{"path", "/tmp/a,b"}}},
      {"role", {{"role", "peer"}}},
      {"ring", {{"ring", "round"}}},
      {"queues", {{"queues", 9}}},
      {"queue_size", {{"queue_size", 100}}},
      {"mac", {{"mac", "01:00:00:00:00:01"}}},
      {"mac", {{"mac", "zero"}}},
      {"max_frame", {{"max_frame", 9001}}},
      {"mtu", {{"mtu", 1500}}},
  };
  for (const auto& [path, change] : cases) {
    const auto options = with(change);
    BOOST_REQUIRE_MESSAGE(!options.has_value(), change.dump());
    BOOST_REQUIRE(!options.error().mistakes.empty());
    BOOST_TEST(options.error().mistakes[0].path == path);
  }
}

BOOST_AUTO_TEST_CASE(a_vector_path_that_the_driver_would_not_take_is_refused_by_name) {
  for (const json& change :
       {json{{"ring", "split"}, {"in_order", false}}, json{{"ring", "split"}, {"mergeable", false}},
        json{{"ring", "packed"}, {"mergeable", false}, {"in_order", false}}, json{{"ring", "packed"}}}) {
    json asked = change;
    asked["vectorized"] = true;
    const auto options = with(asked);
    BOOST_REQUIRE_MESSAGE(!options.has_value(), asked.dump());
    BOOST_TEST(options.error().message.starts_with("vectorized: "));
  }
  BOOST_TEST(with({{"vectorized", true}, {"mergeable", false}, {"in_order", false}}).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
