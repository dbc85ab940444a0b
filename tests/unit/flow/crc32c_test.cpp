#include "emu/flow/crc32c.hpp"

#include <array>
#include <boost/test/unit_test.hpp>
#include <random>
#include <string_view>
#include <vector>

using namespace testbed::flow;

BOOST_AUTO_TEST_SUITE(crc32c_sum)

// RFC 3720, B.4, and the check value of the catalogue of parametrised CRC algorithms.
BOOST_AUTO_TEST_CASE(published_check_values_come_out) {
  std::array<uint8_t, 32> octets{};
  BOOST_TEST(crc32c(octets.data(), 32) == 0x8a9136aau);
  octets.fill(0xff);
  BOOST_TEST(crc32c(octets.data(), 32) == 0x62a8ab43u);
  for (uint8_t i = 0; i < 32; ++i) octets[i] = i;
  BOOST_TEST(crc32c(octets.data(), 32) == 0x46dd794eu);
  const std::string_view digits = "123456789";
  BOOST_TEST(crc32c(digits.data(), digits.size()) == 0xe3069283u);
}

BOOST_AUTO_TEST_CASE(the_instruction_and_the_table_agree_for_every_length_and_alignment) {
  std::mt19937 random(1);
  std::vector<uint8_t> octets(9100);
  for (auto& octet : octets) octet = static_cast<uint8_t>(random());
  for (size_t length = 0; length < 1200; ++length) {
    const size_t at = length % 9;
    BOOST_REQUIRE_EQUAL(crc32c(&octets[at], length), crc32c_table(&octets[at], length));
  }
  BOOST_TEST(crc32c(&octets[1], 9000) == crc32c_table(&octets[1], 9000));
}

BOOST_AUTO_TEST_CASE(a_sum_over_two_parts_is_the_sum_over_both) {
  std::vector<uint8_t> octets(2000, 0x5a);
  octets[777] = 1;
  const uint32_t whole = crc32c(octets.data(), octets.size());
  for (const size_t cut : {1u, 52u, 384u, 385u, 1999u})
    BOOST_TEST(crc32c(&octets[cut], octets.size() - cut, crc32c(octets.data(), cut)) == whole);
}

BOOST_AUTO_TEST_SUITE_END()
