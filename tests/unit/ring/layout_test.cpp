// Ways to lay out a buffer that are uncommon and allowed: header and frame go where the chain says.
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "pipe.hpp"

namespace testbed::ring::test {
namespace {

using driver::RawDescriptor;
using wire::kDescIndirect;
using wire::kDescNext;
using wire::kDescWrite;

constexpr uint16_t kSize = 32;
constexpr uint64_t kParts = Guest::kData, kBorder = Guest::kData + 2 * Guest::kDataRegion;

struct Part {
  uint64_t gpa;
  uint32_t length;
};
using Parts = std::vector<Part>;

// `direct` are descriptors of the ring; `table`, if there is one, follows them.
struct Layout {
  const char* name;
  Parts direct, table;
  uint64_t table_at = kBorder + 0x1000;
  bool packed = true;  // allowed there
  friend std::ostream& operator<<(std::ostream& out, const Layout& l) { return out << l.name; }
};

Parts in_a_row(size_t count, uint32_t length) {
  Parts parts;
  for (size_t i = 0; i < count; ++i) parts.push_back({kParts + 100 * i, length});
  return parts;
}

const Layout kLayouts[] = {
    {"header and frame in one", {{kParts, 212}}, {}},
    {"the header alone", {{kParts, 12}, {kParts + 100, 200}}, {}},
    {"a header of single octets", in_a_row(13, 1), {}},
    {"a cut within the header", {{kParts, 5}, {kParts + 100, 207}}, {}},
    {"parts without octets", {{kParts, 0}, {kParts, 12}, {kParts + 50, 0}, {kParts + 100, 60}}, {}},
    {"all descriptors of the ring", in_a_row(kSize, 7), {}},
    {"an address without octets beyond all memory", {{kParts, 72}, {~uint64_t{0}, 0}}, {}},
    {"a table", {}, {{kParts, 12}, {kParts + 100, 200}}},
    {"a table of one entry", {}, {{kParts, 212}}},
    {"a table longer than the ring", {}, in_a_row(3 * kSize, 7)},
    {"a table that is not aligned", {}, {{kParts, 12}, {kParts + 100, 200}}, kBorder + 0x1003},
    {"a table on both sides of a border of regions", {}, in_a_row(4, 60), kBorder - 32},
    {"a table whose entry the border cuts", {}, in_a_row(4, 60), kBorder - 24},
    {"a table that ends with its region", {}, in_a_row(4, 60), kBorder - 64},
    {"a part, and a table", {{kParts + 5000, 12}}, {{kParts, 60}, {kParts + 100, 140}}, kBorder, false},
    {"parts, and a table that the border cuts",
     {{kParts + 5000, 6}, {kParts + 6000, 7}},
     in_a_row(3, 60),
     kBorder - 24,
     false},
};

GuestOptions options_for(bool packed, const Layout& layout) {
  return {{.size = kSize,
           .packed = packed,
           .indirect = !layout.table.empty(),
           .table_length = 4,
           .first = uint16_t(packed ? 0x8000 : 0)},
          12,
          true};
}

void post(const Guest& guest, const Layout& layout, uint16_t flags) {
  const bool packed = guest.options.ring.packed;
  for (size_t i = 0; i < layout.table.size(); ++i) {
    const auto& [gpa, length] = layout.table[i];
    const auto next = static_cast<uint16_t>(i + 1);
    wire::SplitDesc entry{gpa, length, uint16_t(flags | (next < layout.table.size() ? kDescNext : 0)), next};
    if (packed) entry = {gpa, length, 0, flags};
    guest.write(layout.table_at + 16 * i, std::as_bytes(std::span(&entry, 1)));
  }
  std::vector<RawDescriptor> chain;
  for (const auto& [gpa, length] : layout.direct) chain.push_back({gpa, length, flags});
  if (!layout.table.empty())
    chain.push_back({layout.table_at, static_cast<uint32_t>(16 * layout.table.size()), kDescIndirect});
  guest.post_raw(chain);
}

Parts parts_of(const Layout& layout) {
  Parts all = layout.direct;
  all.insert(all.end(), layout.table.begin(), layout.table.end());
  return all;
}

uint32_t octets_of(const Layout& layout) {
  uint32_t octets = 0;
  for (const Part& part : parts_of(layout)) octets += part.length;
  return octets;
}

template <typename Ring>
void check_transmit(const Layout& layout, bool packed) {
  const Guest guest(options_for(packed, layout));
  const Octets frame = made_frame(octets_of(layout) - 12, 9);
  Octets all(12);
  all.insert(all.end(), frame.begin(), frame.end());
  std::span<const std::byte> rest(all);
  for (const Part& part : parts_of(layout)) {
    if (part.length > 0) guest.write(part.gpa, rest.first(part.length));
    rest = rest.subspan(part.length);
  }
  post(guest, layout, 0);
  const Ring ring = guest.make_ring<Ring>();
  auto cursor = ring.resume(guest.options.ring.first);
  const auto scratch = std::make_unique<Scratch>();
  std::array<Packet, kBurst> packets;
  Faults faults;
  Source<Ring> source(ring, cursor, guest.terms, *scratch, guest.record());
  BOOST_TEST_REQUIRE(source.take(packets.data(), faults) == 1);
  BOOST_TEST(faults.count == 0);
  Octets seen(packets[0].length);
  BOOST_TEST_REQUIRE(seen.size() == frame.size());
  copy_frame(packets[0], seen.data(), packets[0].length);
  BOOST_TEST((seen == frame));
  source.give_back();
}

template <typename Ring>
void check_receive(const Layout& layout, bool packed) {
  const Guest guest(options_for(packed, layout));
  post(guest, layout, kDescWrite);
  Made made(octets_of(layout) - 12);
  Octets image, all(12);
  all[10] = std::byte{1};
  all.insert(all.end(), made.octets.begin(), made.octets.end());
  guest.copy_to(image);
  std::span<const std::byte> rest(all);
  for (const Part& part : parts_of(layout)) {
    if (part.length > 0) guest.expect(image, part.gpa, rest.first(part.length));
    rest = rest.subspan(part.length);
  }
  const uint16_t slots = packed ? static_cast<uint16_t>(layout.table.empty() ? layout.direct.size() : 1) : 1;
  const Ring ring = guest.make_ring<Ring>();
  auto cursor = ring.resume(guest.options.ring.first);
  const auto scratch = std::make_unique<Scratch>();
  Packet* const packets[] = {&made.packet};
  Faults faults;
  Sink<Ring> sink(ring, cursor, guest.terms, *scratch, guest.record());
  BOOST_TEST_REQUIRE(sink.put(packets, 1, faults).sent == 1);
  BOOST_TEST(faults.count == 0);
  UsedModel model(guest);
  std::array<driver::UsedChain, 2> used;
  const Octets after = [&] {
    Octets now;
    guest.copy_to(now);
    return now;
  }();
  BOOST_TEST_REQUIRE(guest.driver().take(used) == 1);
  model.expect(image, used[0].token, octets_of(layout), slots);
  BOOST_TEST((after == image));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(layouts)

BOOST_DATA_TEST_CASE(a_frame_comes_out_of_any_layout_that_is_allowed, boost::unit_test::data::make(kLayouts),
                     layout) {
  check_transmit<SplitRing>(layout, false);
  if (layout.packed) check_transmit<PackedRing>(layout, true);
}

BOOST_DATA_TEST_CASE(a_frame_goes_into_any_layout_that_is_allowed_and_nowhere_else,
                     boost::unit_test::data::make(kLayouts), layout) {
  check_receive<SplitRing>(layout, false);
  if (layout.packed) check_receive<PackedRing>(layout, true);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace testbed::ring::test
