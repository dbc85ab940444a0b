// The driver's encoders against the golden vectors.
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <nlohmann/json.hpp>

#include "emu/driver/app/payload.hpp"

namespace testbed::driver {
namespace {

using nlohmann::json;

json vectors() {
  std::ifstream file(std::string(TB_VECTORS) + "/vhost_user.json");
  return json::parse(file)["vectors"];
}

std::string hex(const std::vector<uint8_t>& bytes) {
  return to_hex_bytes(bytes.data(), bytes.size());
}

}  // namespace

BOOST_AUTO_TEST_SUITE(message)

BOOST_AUTO_TEST_CASE(every_message_is_encoded_as_the_vectors_say) {
  const json all = vectors();
  BOOST_TEST(all.size() >= 39u);
  for (const json& vector : all) {
    BOOST_TEST_CONTEXT(vector["message"]) {
      const auto request = request_number(vector["message"].get<std::string>());
      BOOST_TEST_REQUIRE(request.has_value());
      const auto payload = read_payload(*request, vector["payload"], {});
      BOOST_TEST_REQUIRE(payload.has_value());
      Message built{.request = *request, .payload = *payload};
      if (vector.value("need_reply", false)) built.flags |= wire::kFlagNeedReply;
      BOOST_TEST(hex(encode(built)) == hex(*from_hex(vector["bytes"].get<std::string>())));
    }
  }
}

BOOST_AUTO_TEST_CASE(the_builders_attach_the_descriptors_the_specification_names) {
  BOOST_TEST(memory_table({{0, 4096, 1, 0}, {8192, 4096, 2, 4096}}, 9).fds == (std::vector<int>{9, 9}));
  BOOST_TEST(log_base({4096, 0}, 7).fds == std::vector<int>{7});
  BOOST_TEST(vring_file(wire::Request::SET_VRING_KICK, 3, 8).fds == std::vector<int>{8});
  BOOST_TEST(vring_file(wire::Request::SET_VRING_KICK, 3, -1).fds.empty());
  BOOST_TEST(hex(vring_file(wire::Request::SET_VRING_KICK, 3, -1).payload) == "0301000000000000");
}

BOOST_AUTO_TEST_CASE(a_header_may_lie_about_the_size) {
  Message lying = number(wire::Request::SET_FEATURES, 1);
  lying.size = 0xffffffff;
  BOOST_TEST(hex(encode(lying)) == "0200000001000000ffffffff0100000000000000");
}

BOOST_AUTO_TEST_CASE(a_payload_with_unknown_fields_names_them_all) {
  const auto payload = read_payload(*request_number("SET_VRING_NUM"), {{"indx", 1}, {"num", "many"}}, {});
  BOOST_TEST_REQUIRE(!payload.has_value());
  BOOST_TEST(payload.error().mistakes.size() == 2u);
  BOOST_TEST(payload.error().mistakes[0].path == "payload.num");
  BOOST_TEST(payload.error().mistakes[1].path == "payload.indx");
}

BOOST_AUTO_TEST_CASE(answers_are_expected_where_the_specification_promises_them) {
  const uint64_t log = bit(wire::ProtocolFeature::LOG_SHMFD);
  for (const char* name :
       {"GET_FEATURES", "GET_PROTOCOL_FEATURES", "GET_VRING_BASE", "GET_QUEUE_NUM", "GET_INFLIGHT_FD",
        "GET_MAX_MEM_SLOTS", "GET_STATUS", "GET_CONFIG", "POSTCOPY_ADVISE", "CHECK_DEVICE_STATE"})
    BOOST_TEST(answered(*request_number(name), 0));
  for (const char* name :
       {"SET_FEATURES", "SET_MEM_TABLE", "SET_VRING_KICK", "SEND_RARP", "SET_LOG_FD", "SET_STATUS"})
    BOOST_TEST(!answered(*request_number(name), log));
  BOOST_TEST(answered(*request_number("SET_LOG_BASE"), log));
  BOOST_TEST(!answered(*request_number("SET_LOG_BASE"), 0));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace testbed::driver
