#include "pipe.hpp"

#include <algorithm>

namespace testbed::ring::test {

bool Owner::post(uint32_t octets, size_t most, bool write, const Octets& contents) {
  const size_t count = pick(1, most);
  std::vector<uint32_t> cuts{0, octets};
  for (size_t i = 1; i < count; ++i) cuts.push_back(static_cast<uint32_t>(pick(0, octets)));
  std::sort(cuts.begin(), cuts.end());
  if (guest_.driver().room() < guest_.driver().descriptors_for(count)) return false;
  Posted posted{0, 1, {}, octets, 0, {}};
  for (size_t i = 0; i < count; ++i) {
    const uint32_t length = cuts[i + 1] - cuts[i];
    const auto at = area_.take(length);
    if (!at) return false;
    posted.segments.push_back({*at, length, write});
    if (!contents.empty()) guest_.write(*at, std::span(contents).subspan(cuts[i], length));
  }
  posted.end = area_.head();
  posted.slots = guest_.driver().descriptors_for(count);
  posted.token = *guest_.driver().acquire(posted.slots);
  if (!guest_.options.ring.packed) posted.slots = 1;
  guest_.driver().add(posted.token, posted.segments);
  waiting_.push_back(std::move(posted));
  return true;
}

Posted Owner::give_back(uint32_t length) {
  BOOST_TEST_REQUIRE(!waiting_.empty());
  Posted posted = std::move(waiting_.front());
  waiting_.pop_front();
  given_back_.emplace_back(posted, length);
  return posted;
}

void Owner::reap() {
  std::vector<driver::UsedChain> used(64);
  while (const uint16_t count = guest_.driver().take(used))
    for (uint16_t i = 0; i < count; ++i) {
      BOOST_TEST_REQUIRE(!given_back_.empty());
      const auto& [posted, length] = given_back_.front();
      BOOST_TEST_REQUIRE(used[i].token == posted.token);
      BOOST_TEST_REQUIRE(used[i].length == length);
      area_.release(posted.end);
      given_back_.pop_front();
      ++returned_;
    }
  BOOST_TEST_REQUIRE(given_back_.empty());
  BOOST_TEST_REQUIRE((guest_.driver().faults() == driver::RingFaults{}));
}

std::vector<std::pair<Posted, uint32_t>> Owner::reap_any() {
  std::vector<std::pair<Posted, uint32_t>> all;
  std::vector<driver::UsedChain> used(64);
  while (const uint16_t count = guest_.driver().take(used))
    for (uint16_t i = 0; i < count; ++i) {
      BOOST_TEST_REQUIRE(!waiting_.empty());
      BOOST_TEST_REQUIRE(used[i].token == waiting_.front().token);
      area_.release(waiting_.front().end);
      all.emplace_back(std::move(waiting_.front()), used[i].length);
      waiting_.pop_front();
    }
  BOOST_TEST_REQUIRE((guest_.driver().faults() == driver::RingFaults{}));
  return all;
}

}  // namespace testbed::ring::test
