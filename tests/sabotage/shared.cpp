#include "tests/sabotage/shared.hpp"

#include <fcntl.h>
#include <sys/mman.h>

namespace testbed::sabotage {
namespace {

using wire::Request;

std::vector<Shared::Region> map_table(const gate::Message& message) {
  std::vector<Shared::Region> regions;
  gate::GuestMemory table;
  if (!table.set_table(message)) return regions;
  for (const auto& [where, file] : table.regions())
    if (auto memory = table.map(where.user_address, where.size))
      regions.push_back({where, std::move(*memory)});
  return regions;
}

Shared::Log map_log(const gate::Message& message) {
  const auto place = message.as<wire::Log>();
  if (!place || message.fds.empty()) return {};
  const size_t length = place->offset + place->size;
  void* base =
      ::mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_SHARED, message.fds.front().get(), off_t{0});
  if (base == MAP_FAILED) return {};
  auto* begin = static_cast<std::byte*>(base) + place->offset;
  return {std::make_shared<gate::MappedRange>(base, length, begin), place->size};
}

std::shared_ptr<Fd> duplicate(const gate::Message& message) {
  if (message.fds.empty()) return nullptr;
  return std::make_shared<Fd>(::fcntl(message.fds.front().get(), F_DUPFD_CLOEXEC, 0));
}

// Of the messages that are looked at here, the first field is the index, or holds it in its low octet.
std::optional<uint32_t> vring_of(const gate::Message& message) {
  switch (message.request()) {
    case Request::SET_VRING_CALL:
      if (const auto value = message.as<uint64_t>()) return *value & wire::kVringIndexMask;
      return std::nullopt;
    case Request::SET_VRING_NUM:
    case Request::SET_VRING_ADDR:
      return message.as<uint32_t>();
    default:
      return std::nullopt;
  }
}

std::byte* within(const Shared::Region& region, uint64_t from, uint64_t address, size_t length) {
  const uint64_t offset = address - from;
  if (address < from || offset >= region.where.size || length > region.where.size - offset) return nullptr;
  return region.memory->begin() + offset;
}

}  // namespace

std::byte* Shared::at_guest(uint64_t address, size_t length) const {
  for (const Region& region : regions)
    if (auto* found = within(region, region.where.guest_address, address, length)) return found;
  return nullptr;
}

std::byte* Shared::at_user(uint64_t address, size_t length) const {
  for (const Region& region : regions)
    if (auto* found = within(region, region.where.user_address, address, length)) return found;
  return nullptr;
}

void Shared::take(const gate::Message& message) {
  if (message.is(Request::SET_MEM_TABLE)) regions = map_table(message);
  if (message.is(Request::SET_LOG_BASE)) log = map_log(message);
  if (message.is(Request::SET_FEATURES)) features = message.as<uint64_t>().value_or(0);
  const auto index = vring_of(message);
  if (!index || *index >= wire::kMaxVrings) return;
  if (rings.size() <= *index) rings.resize(*index + 1);
  Ring& ring = rings[*index];
  if (message.is(Request::SET_VRING_NUM))
    ring.size = static_cast<uint16_t>(message.as<wire::VringState>().value_or(wire::VringState{}).num);
  if (message.is(Request::SET_VRING_ADDR)) ring.address = message.as<wire::VringAddr>();
  if (message.is(Request::SET_VRING_CALL)) ring.call = duplicate(message);
}

}  // namespace testbed::sabotage
