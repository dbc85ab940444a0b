#include "vdev/gate/packed_strays.hpp"

#include <algorithm>

namespace testbed::gate {
namespace {

// Makes a slot available with no octets in it.
Edit emptied(const PackedCircle& ring, uint32_t spot, bool next) {
  const DescWord now = ring.word(spot);
  const auto flags = static_cast<uint16_t>((ring.lap(spot) ? wire::kPackedAvail : wire::kPackedUsed) |
                                           (next ? wire::kDescNext : 0));
  return {static_cast<uint16_t>(ring.slot(spot)), now, {0, now.id, flags}};
}

bool edited(const ResumePoint& point, uint16_t slot) {
  const auto here = [slot](const Edit& edit) { return edit.slot == slot; };
  return std::any_of(point.commits.begin(), point.commits.end(), here) ||
         std::any_of(point.restores.begin(), point.restores.end(), here);
}

// Slots behind a given-back head that belong to it: their last carries its id, which no other outstanding
// buffer has.
uint32_t rest_of_chain(const PackedCircle& ring, uint32_t head, uint32_t limit) {
  if (limit < 2) return 0;
  const auto word_at = [&](uint32_t k) { return ring.word(ring.ahead(head, k)); };
  const uint32_t rest = chain_length(word_at, 1, limit);
  return !given_back(word_at(1)) && word_at(rest).id == word_at(0).id ? rest : 0;
}

}  // namespace

void take_back_strays(const PackedCircle& ring, uint32_t driver, ResumePoint& point) {
  const uint32_t start = *ring.spot_of(point.position);
  const uint32_t outstanding = std::min(ring.distance(start, driver), ring.size());
  for (uint32_t k = 0; k < outstanding; ++k) {
    const uint32_t head = ring.ahead(start, k);
    const DescWord word = ring.word(head);
    if (lap_of(word) != ring.lap(head) || !given_back(word)) continue;
    if (edited(point, static_cast<uint16_t>(ring.slot(head)))) continue;
    const uint32_t rest = rest_of_chain(ring, head, outstanding - k);
    for (uint32_t i = 0; i <= rest; ++i)
      point.restores.push_back(emptied(ring, ring.ahead(head, i), i < rest));
  }
}

}  // namespace testbed::gate
