#include "guest.hpp"

#include <fcntl.h>
#include <sys/mman.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstring>

namespace testbed::ring::test {
namespace {

constexpr uint64_t kRings = 0x40000;

uint64_t pages(uint64_t octets) {
  return (octets + driver::kPage - 1) / driver::kPage * driver::kPage;
}

// Descriptors, the two other parts and the indirect tables, each on pages of its own.
driver::RingPlace place_for(const driver::RingOptions& ring) {
  const driver::RingSizes sizes = driver::ring_sizes(ring);
  driver::RingPlace place;
  place.descriptors = kRings;
  place.available = place.descriptors + pages(sizes.descriptors);
  place.used = place.available + pages(sizes.available);
  place.tables = place.used + pages(sizes.used);
  return place;
}

driver::MemorySpec memory_for(const driver::RingOptions& ring) {
  const driver::RingPlace place = place_for(ring);
  const uint64_t tables = ring.indirect ? pages(16ull * ring.size * ring.table_length) : driver::kPage;
  const uint64_t rings = place.tables + tables - kRings;
  constexpr uint64_t kStep = Guest::kDataRegion;
  driver::MemorySpec spec;
  // In the file the data regions lie in another order, so that octets of one are no neighbours of the next
  // one's.
  spec.regions = {{kRings, rings, 3 * kStep},
                  {Guest::kData, kStep, 2 * kStep},
                  {Guest::kData + kStep, kStep, 0},
                  {Guest::kData + 2 * kStep, kStep, kStep}};
  return spec;
}

}  // namespace

gate::Message Guest::table_message() const {
  wire::MemoryTable all{static_cast<uint32_t>(memory.regions().size()), 0, {}};
  size_t i = 0;
  for (const auto& region : memory.regions())
    all.regions[i++] = {region.gpa, region.size, memory.user_address(region), region.offset};
  gate::Message message = gate::make_message(wire::Request::SET_MEM_TABLE, 0, all);
  for (i = 0; i < memory.regions().size(); ++i)
    message.fds.emplace_back(::fcntl(memory.fd(), F_DUPFD_CLOEXEC, 0));
  return message;
}

Guest::Guest(const GuestOptions& wanted)
    : options(wanted),
      memory(*driver::GuestMemory::open(memory_for(wanted.ring))),
      place(place_for(wanted.ring)),
      state_(*driver::map_state("", driver::RingState::bytes(wanted.ring.size))),
      record_file_(*driver::map_state("", sizeof(gate::RingRecord))),
      record_(reinterpret_cast<gate::RingRecord*>(record_file_.base())) {
  const auto user = [&](uint64_t gpa) { return memory.user_address(gpa); };
  BOOST_REQUIRE(driver::check_place(memory, place, options.ring));
  address = {0, 0, user(place.descriptors), user(place.used), user(place.available), place.used};
  BOOST_REQUIRE(table.set_table(table_message()));
  map = *GuestMap::map(table.regions());
  if (options.logged) {
    log_fd_.reset(::memfd_create("log", MFD_CLOEXEC));
    BOOST_REQUIRE(::ftruncate(log_fd_.get(), kLogOctets) == 0);
    log = *gate::DirtyLog::map(log_fd_.get(), {kLogOctets, 0});
  }
  terms.map = map.get();
  terms.log = log.get();
  terms.header = options.header;
  terms.mergeable = options.mergeable;
  driver_ = driver::make_ring(memory, place, options.ring, state_.base());
  driver_->reset();
}

Guest::~Guest() = default;

void Guest::take_over(const Guest& other) {
  std::memcpy(memory.base(), other.memory.base(), memory.size());
  std::memcpy(static_cast<void*>(record_), other.record_, sizeof *record_);
  std::memcpy(state_.base(), other.state_.base(), state_.size());
  BOOST_TEST_REQUIRE(driver_->recover());
}

namespace {

// Calls `use` with the place in the file and the length of each part of [gpa, gpa + length).
template <typename Use>
void each_part(const driver::GuestMemory& memory, uint64_t gpa, uint64_t length, const Use& use) {
  while (length > 0) {
    const auto region = std::find_if(memory.regions().begin(), memory.regions().end(),
                                     [&](const auto& r) { return gpa - r.gpa < r.size; });
    BOOST_REQUIRE(region != memory.regions().end());
    const uint64_t here = std::min(length, region->gpa + region->size - gpa);
    use(region->offset + (gpa - region->gpa), here);
    gpa += here;
    length -= here;
  }
}

}  // namespace

void Guest::write(uint64_t gpa, std::span<const std::byte> octets) const {
  each_part(memory, gpa, octets.size(), [&](uint64_t at, uint64_t length) {
    std::memcpy(memory.base() + at, octets.data(), length);
    octets = octets.subspan(length);
  });
}

Octets Guest::read(uint64_t gpa, uint64_t length) const {
  Octets all;
  each_part(memory, gpa, length, [&](uint64_t at, uint64_t here) {
    const auto* from = reinterpret_cast<const std::byte*>(memory.base() + at);
    all.insert(all.end(), from, from + here);
  });
  return all;
}

void Guest::copy_to(Octets& image) const {
  const auto* from = reinterpret_cast<const std::byte*>(memory.base());
  image.assign(from, from + memory.size());
}

bool Guest::is(const Octets& image) const {
  return image.size() == memory.size() && std::memcmp(image.data(), memory.base(), image.size()) == 0;
}

void Guest::expect(Octets& image, uint64_t gpa, std::span<const std::byte> octets) const {
  for (uint64_t i = 0; i < octets.size(); ++i) expected_.insert((gpa + i) / driver::kPage);
  each_part(memory, gpa, octets.size(), [&](uint64_t at, uint64_t length) {
    std::memcpy(image.data() + at, octets.data(), length);
    octets = octets.subspan(length);
  });
}

std::vector<uint64_t> Guest::take_dirty() const {
  Octets bits(kLogOctets);
  BOOST_REQUIRE_EQUAL(::pread(log_fd_.get(), bits.data(), bits.size(), 0), std::ssize(bits));
  const Octets nothing(kLogOctets);
  BOOST_REQUIRE_EQUAL(::pwrite(log_fd_.get(), nothing.data(), nothing.size(), 0), std::ssize(nothing));
  std::vector<uint64_t> found;
  for (uint64_t octet = 0; octet < kLogOctets; ++octet)
    for (uint64_t bit = 0; bits[octet] != std::byte{0} && bit < 8; ++bit)
      if ((bits[octet] & std::byte(1 << bit)) != std::byte{0}) found.push_back(8 * octet + bit);
  return found;
}

std::vector<uint64_t> Guest::take_expected() const {
  const std::set<uint64_t> pages = std::exchange(expected_, {});
  return {pages.begin(), pages.end()};
}

uint16_t Guest::post_raw(std::vector<driver::RawDescriptor> descriptors,
                         const driver::RawOptions& how) const {
  const auto token = driver_->acquire(static_cast<uint16_t>(descriptors.size()));
  BOOST_REQUIRE(token.has_value());
  for (size_t i = 0; i + 1 < descriptors.size(); ++i) descriptors[i].flags |= wire::kDescNext;
  driver_->add_raw(*token, descriptors, how, ~uint32_t{0});
  return *token;
}

void UsedModel::expect(Octets& image, uint16_t id, uint32_t length, uint16_t slots) {
  const uint16_t size = guest_.options.ring.size;
  if (!guest_.options.ring.packed) {
    const uint64_t element = guest_.place.used + 4 + 8ull * (position_ % size);
    guest_.expect_value<uint32_t>(image, element, id);
    guest_.expect_value<uint32_t>(image, element + 4, length);
    passed_.push_back(position_++);
    return guest_.expect_value(image, guest_.place.used + 2, position_);
  }
  const uint64_t at = guest_.place.descriptors + 16ull * (position_ & 0x7fff);
  const uint16_t flags = static_cast<uint16_t>((position_ & 0x8000 ? 0x8080 : 0) | (length > 0 ? 2 : 0));
  guest_.expect_value<uint32_t>(image, at + 8, length);
  guest_.expect_value(image, at + 12, id);
  guest_.expect_value(image, at + 14, flags);
  for (uint16_t i = 0; i < slots; ++i) {
    passed_.push_back(position_);
    if ((position_ & 0x7fff) + 1 == size)
      position_ = static_cast<uint16_t>(~position_ & 0x8000);
    else
      ++position_;
  }
}

}  // namespace testbed::ring::test
