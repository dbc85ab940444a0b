// Configuration: mistakes by path, the checks of a graph, and the way from one configuration to the next.
#include <algorithm>
#include <boost/test/unit_test.hpp>

#include "core/base/json_document.hpp"
#include "core/bricks/register.hpp"
#include "core/control/config_parser.hpp"
#include "core/graph/diff.hpp"
#include "core/graph/topology.hpp"
#include "tests/unit/core/fake_port.hpp"

using namespace testbed;
using nlohmann::json;

namespace {

Result<Config> parse(const json& document) {
  FakePorts ports;
  return parse_config(document, {}, ports.factories(), brick_factories());
}

Config good(const json& document) {
  auto config = parse(document);
  BOOST_REQUIRE_MESSAGE(config.has_value(), (config ? "" : config.error().message));
  return std::move(*config);
}

// The message for the mistake at `path`, "" when there is none.
std::string mistake(const json& document, const std::string& path) {
  const auto config = parse(document);
  if (config) return "";
  for (const auto& one : config.error().mistakes)
    if (one.path == path) return one.message;
  return "";
}

bool says(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

json port(const char* to) {
  return {{"type", "fake"}, {"to", to}};
}

// A list of two-element lists: braces alone would make an object of them.
json edges(const std::vector<std::vector<std::string>>& pairs) {
  return pairs;
}

std::vector<std::string> words(const std::vector<Action>& actions) {
  std::vector<std::string> all;
  for (const auto& action : actions) all.push_back(to_string(action));
  return all;
}

using Words = std::vector<std::string>;

const json kLan = {{"bricks", {{"lan", {{"type", "switch"}}}}},
                   {"ports", {{"p0", port("lan")}, {"p1", port("lan")}}}};

}  // namespace

BOOST_AUTO_TEST_SUITE(configuration)

BOOST_AUTO_TEST_CASE(every_mistake_is_named_by_its_path_and_all_at_once) {
  const json document = {
      {"workerz", 2},
      {"bricks", {{"lan", {{"type", "swich"}}}, {"b", {{"type", "hub"}, {"ageing_ms", 1}}}}},
      {"ports", {{"p0", {{"type", "fake"}, {"queues", 999}}}, {"p1", {{"queues", 1}}}, {"p.2", port("b")}}},
      {"edges", {{"p0", "b"}, {"p1"}}}};
  BOOST_TEST(says(mistake(document, "workerz"), "not an option"));
  BOOST_TEST(says(mistake(document, "bricks.lan.type"), "there are: capture, hub, switch"));
  BOOST_TEST(says(mistake(document, "bricks.b.ageing_ms"), "not an option"));
  BOOST_TEST(says(mistake(document, "ports.p0.queues"), "from 1 to 128"));
  BOOST_TEST(says(mistake(document, "ports.p1.type"), "missing"));
  BOOST_TEST(says(mistake(document, "ports.p.2"), "letters"));
  BOOST_TEST(says(mistake(document, "edges[1]"), "two ends"));
}

BOOST_AUTO_TEST_CASE(queues_are_placed_by_a_policy_that_exists_on_workers_that_exist) {
  json document = kLan;
  document["assignment"] = "by_luck";
  BOOST_TEST(says(mistake(document, "assignment"), "round_robin"));
  document["assignment"] = "cycles";
  for (const json& wrong : {json(1), json::array({0, 1}), json(-1), json("0"), json::array()}) {
    document["ports"]["p1"]["workers"] = wrong;  // there is one worker
    BOOST_TEST(!mistake(document, "ports.p1.workers").empty());
  }
  document["ports"]["p1"]["workers"] = {0};
  BOOST_TEST(mistake(document, "ports.p1.workers").empty());
}

BOOST_AUTO_TEST_CASE(documents_of_the_wrong_shape_are_refused) {
  for (const json& wrong :
       {json(), json(1), json::array(), json{{"ports", 1}}, json{{"ports", {{"p0", 1}}}},
        json{{"bricks", json::array()}}, json{{"edges", {{"a", "b"}}}}, json{{"edges", 1}},
        json{{"cpus", "x"}}, json{{"workers", -1}}, json{{"workers", 1.5}}})
    BOOST_TEST(!parse(wrong).has_value(), wrong.dump());
}

BOOST_AUTO_TEST_CASE(settings_read_at_start_only_are_refused_when_they_differ) {
  BOOST_TEST(says(mistake({{"workers", 2}}, "workers"), "restart"));
  BOOST_TEST(parse({{"workers", 1}}).has_value());
}

BOOST_AUTO_TEST_CASE(edges_that_lead_nowhere_are_refused) {
  BOOST_TEST(says(mistake({{"ports", {{"p0", port("lan")}}}}, "ports.p0.to"), "no port or brick lan"));
  json document = kLan;
  document["edges"] = edges({{"lan", "nobody"}});
  BOOST_TEST(says(mistake(document, "edges[0]"), "no port or brick nobody"));
}

BOOST_AUTO_TEST_CASE(sides_must_exist_and_take_one_edge) {
  json document = kLan;
  document["bricks"]["tap"] = {{"type", "capture"}, {"file", "x"}};
  document["ports"]["p2"] = port("tap");
  BOOST_TEST(says(mistake(document, "ports.p2.to"), "write tap.west"));
  document["ports"]["p2"] = port("tap.north");
  BOOST_TEST(says(mistake(document, "ports.p2.to"), "sides west, east"));
  document["ports"]["p2"] = port("lan.west");
  BOOST_TEST(says(mistake(document, "ports.p2.to"), "has no sides"));
  document["ports"]["p2"] = port("tap.west");
  document["ports"]["p3"] = port("tap.west");
  BOOST_TEST(says(mistake(document, "ports.p3.to"), "already has an edge"));
}

BOOST_AUTO_TEST_CASE(a_port_has_one_edge_and_an_edge_is_written_once) {
  json document = kLan;
  document["bricks"]["h"] = {{"type", "hub"}};
  document["edges"] = edges({{"p0", "h"}});
  BOOST_TEST(says(mistake(document, "edges[0]"), "already has an edge"));
  json twice = {{"bricks", {{"a", {{"type", "switch"}}}, {"b", {{"type", "switch"}}}}},
                {"edges", edges({{"a", "b"}, {"b", "a"}})}};
  BOOST_TEST(says(mistake(twice, "edges[1]"), "there twice"));
}

BOOST_AUTO_TEST_CASE(a_port_and_a_brick_may_not_share_a_name) {
  BOOST_TEST(says(
      mistake({{"bricks", {{"x", {{"type", "hub"}}}}}, {"ports", {{"x", {{"type", "fake"}}}}}}, "ports.x"),
      "brick"));
}

BOOST_AUTO_TEST_CASE(loops_are_refused) {
  const json sw = {{"type", "switch"}};
  const json ring = {{"bricks", {{"a", sw}, {"b", sw}, {"c", sw}}},
                     {"edges", edges({{"a", "b"}, {"b", "c"}, {"c", "a"}})}};
  BOOST_TEST(says(mistake(ring, "edges[2]"), "loop"));
  const json self = {{"bricks", {{"a", sw}}}, {"edges", edges({{"a", "a"}})}};
  BOOST_TEST(says(mistake(self, "edges[0]"), "loop"));
  const json tap = {{"bricks", {{"t", {{"type", "capture"}, {"file", "x"}}}}},
                    {"edges", edges({{"t.west", "t.east"}})}};
  BOOST_TEST(says(mistake(tap, "edges[0]"), "loop"));
}

BOOST_AUTO_TEST_CASE(ways_of_thirty_two_bricks_are_possible_and_longer_ones_refused) {
  json document;
  std::string before;
  for (int i = 0; i < 33; ++i) {
    std::string name = std::to_string(i);
    document["bricks"][name] = {{"type", "hub"}};
    if (i > 0) document["edges"].push_back({before, name});
    before = std::move(name);
  }
  BOOST_TEST(says(mistake(document, "edges"), "33 bricks"));
  document["edges"].erase(10);
  BOOST_TEST(longest_way(good(document)) == 22);
}

BOOST_AUTO_TEST_CASE(static_addresses_must_be_stations_behind_the_bricks_own_edges) {
  json document = kLan;
  document["bricks"]["lan"]["static"] = {
      {"02:00:00:00:00:01", "p9"}, {"ff:ff:ff:ff:ff:ff", "p0"}, {"x", "p0"}};
  BOOST_TEST(says(mistake(document, "bricks.lan.static.02:00:00:00:00:01"), "p9"));
  BOOST_TEST(says(mistake(document, "bricks.lan.static.ff:ff:ff:ff:ff:ff"), "one station"));
  BOOST_TEST(says(mistake(document, "bricks.lan.static.x"), "not a MAC"));
}

BOOST_AUTO_TEST_CASE(text_that_is_not_json_is_placed_by_line_and_column) {
  const auto wrong = parse_json("{\n \"a\": 1,,\n}");
  BOOST_REQUIRE(!wrong);
  BOOST_TEST(says(wrong.error().message, "line 2, column 9"));
  BOOST_TEST(!parse_json(std::string(1'000'000, '[')).has_value());
  BOOST_TEST(parse_json(R"({"a": "[[[[[\"[[["})").has_value());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(change)

BOOST_AUTO_TEST_CASE(booting_and_stopping_are_changes_from_and_to_nothing) {
  const Config lan = good(kLan);
  BOOST_TEST(words(diff({}, lan)) == (Words{"add brick lan", "add port p0", "add port p1",
                                            "add edge lan - p0", "add edge lan - p1"}),
             boost::test_tools::per_element());
  BOOST_TEST(words(diff(lan, {})) == (Words{"remove edge lan - p0", "remove edge lan - p1", "remove port p0",
                                            "remove port p1", "remove brick lan"}),
             boost::test_tools::per_element());
  BOOST_TEST(diff(lan, lan).empty());
}

BOOST_AUTO_TEST_CASE(the_order_in_which_a_document_is_written_changes_nothing) {
  json explicit_edges = kLan;
  for (const char* name : {"p1", "p0"}) {
    explicit_edges["ports"][name].erase("to");
    explicit_edges["edges"].push_back({"lan", name});
  }
  BOOST_TEST(diff(good(kLan), good(explicit_edges)).empty());
}

BOOST_AUTO_TEST_CASE(a_changed_port_is_removed_and_added_and_its_neighbours_stay) {
  json changed = kLan;
  changed["ports"]["p1"]["path"] = "/elsewhere";
  BOOST_TEST(words(diff(good(kLan), good(changed))) ==
                 (Words{"remove edge lan - p1", "remove port p1", "add port p1", "add edge lan - p1"}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_port_that_is_plugged_elsewhere_keeps_its_session) {
  json changed = kLan;
  changed["bricks"]["h"] = {{"type", "hub"}};
  changed["ports"]["p1"]["to"] = "h";
  BOOST_TEST(words(diff(good(kLan), good(changed))) ==
                 (Words{"remove edge lan - p1", "add brick h", "add edge h - p1"}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_bricks_option_is_configured_its_type_or_a_rebuild_makes_it_anew) {
  json older = kLan;
  older["bricks"]["lan"]["ageing_ms"] = 1000;
  BOOST_TEST(words(diff(good(kLan), good(older))) == Words{"configure brick lan"},
             boost::test_tools::per_element());
  const Words anew = {"remove edge lan - p0", "remove edge lan - p1", "remove brick lan",
                      "add brick lan",        "add edge lan - p0",    "add edge lan - p1"};
  BOOST_TEST(words(diff(good(kLan), good(older), {"lan"})) == anew, boost::test_tools::per_element());
  json hub = kLan;
  hub["bricks"]["lan"]["type"] = "hub";
  BOOST_TEST(words(diff(good(kLan), good(hub))) == anew, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()
