#include "session_rig.hpp"

#include <sys/eventfd.h>

namespace testbed::ring::test {

Result<std::unique_ptr<gate::Backend>> RecordingPort::open_backend(gate::Session& session) {
  auto made = std::make_unique<RingSession>(session, memory_, walks, *this, capability(), kProtocol);
  backend = made.get();
  return made;
}

void RecordingPort::publish(std::unique_ptr<SessionView> next) {
  view = std::move(next);
  ++published;
}

void RecordingPort::retire() {
  view.reset();
  ++retired;
}

const Lane& RecordingPort::lane(uint16_t vring) const {
  return (vring % 2 == 0 ? view->transmit : view->receive).at(vring / 2);
}

namespace {

template <typename Ring>
std::vector<Octets> take_all(const SessionView& view, const Lane& lane, const Ring& ring,
                             typename Ring::Cursor& cursor, Scratch& scratch) {
  std::vector<Octets> frames;
  std::array<Packet, kBurst> packets;
  Faults faults;
  Source<Ring> source(ring, cursor, view.terms, scratch, *lane.record);
  while (const uint16_t count = source.take(packets.data(), faults)) {
    for (uint16_t i = 0; i < count; ++i)
      copy_frame(packets[i], frames.emplace_back(packets[i].length).data(), packets[i].length);
    source.give_back();
  }
  return frames;
}

template <typename Ring>
bool put_one(const SessionView& view, const Lane& lane, const Ring& ring, typename Ring::Cursor& cursor,
             Scratch& scratch, size_t length) {
  Made made(length);
  Packet* const all[] = {&made.packet};
  Faults faults;
  return Sink<Ring>(ring, cursor, view.terms, scratch, *lane.record).put(all, 1, faults).sent == 1;
}

}  // namespace

std::vector<Octets> RecordingPort::receive(uint16_t vring) {
  if (!walked(vring)) return {};
  const Lane& from = lane(vring);
  return view->packed ? take_all(*view, from, from.packed, from.walk->packed, *scratch_)
                      : take_all(*view, from, from.split, from.walk->split, *scratch_);
}

uint16_t RecordingPort::receive_and_die(uint16_t vring) {
  const Lane& from = lane(vring);
  std::array<Packet, kBurst> packets;
  Faults faults;
  if (view->packed)
    return Source<PackedRing>(from.packed, from.walk->packed, view->terms, *scratch_, *from.record)
        .take(packets.data(), faults);
  return Source<SplitRing>(from.split, from.walk->split, view->terms, *scratch_, *from.record)
      .take(packets.data(), faults);
}

bool RecordingPort::transmit(uint16_t vring, size_t length) {
  if (!walked(vring)) return false;
  const Lane& to = lane(vring);
  return view->packed ? put_one(*view, to, to.packed, to.walk->packed, *scratch_, length)
                      : put_one(*view, to, to.split, to.walk->split, *scratch_, length);
}

SessionRig::SessionRig()
    : endpoint(*gate::Endpoint::open(io, events, watch, {"p0", path, gate::Role::server, 2}, memory, port)) {
  connect();
}

FrontendRig::FrontendRig()
    : kick_fd(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)), call_fd(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
}

void FrontendRig::connect() {
  if (frontend) hang_up();
  const size_t before = named("session.connected").size();
  frontend.emplace(testbed::test::Frontend::connect(path));
  BOOST_REQUIRE(until_event("session.connected", before + 1));
}

void FrontendRig::hang_up() {
  const size_t before = named("session.down").size();
  frontend.reset();
  BOOST_REQUIRE(until_event("session.down", before + 1));
}

void FrontendRig::negotiate_protocol() {
  BOOST_TEST_REQUIRE(ask(Request::GET_PROTOCOL_FEATURES) == gate::kProtocolFeatures);
  BOOST_TEST_REQUIRE(say(Request::SET_PROTOCOL_FEATURES, gate::kProtocolFeatures) == 0u);
}

void FrontendRig::negotiate(uint64_t features) {
  BOOST_TEST_REQUIRE((ask(Request::GET_FEATURES) & features) == features);
  BOOST_TEST_REQUIRE(say(Request::SET_FEATURES, features) == 0u);
}

void FrontendRig::set_memory(const Guest& guest) {
  const gate::Message message = guest.table_message();
  std::vector<int> fds;
  for (const Fd& fd : message.fds) fds.push_back(fd.get());
  wire::MemoryTable table{};
  std::memcpy(&table, message.payload.data(), std::min(sizeof table, message.payload.size()));
  BOOST_TEST_REQUIRE(say(Request::SET_MEM_TABLE, table, fds) == 0u);
}

void FrontendRig::place(const Guest& guest, uint16_t vring, std::optional<uint32_t> base) {
  wire::VringAddr address = guest.address;
  address.index = vring;
  address.flags = guest.options.logged ? 1 : 0;
  const wire::VringState size{vring, guest.options.ring.size};
  const wire::VringState from{vring, base.value_or(guest.options.ring.first)};
  BOOST_TEST_REQUIRE(say(Request::SET_VRING_NUM, size) == 0u);
  BOOST_TEST_REQUIRE(say(Request::SET_VRING_BASE, from) == 0u);
  BOOST_TEST_REQUIRE(say(Request::SET_VRING_ADDR, address) == 0u);
}

void FrontendRig::place_idle(const Guest& guest, uint16_t vring) {
  const uint64_t user = guest.memory.user_address(Guest::kData + 2 * Guest::kDataRegion + 0x400 * vring);
  const bool packed = guest.options.ring.packed;
  const wire::VringAddr address{vring, 0, user, user + 0x200, user + 0x100, 0};
  BOOST_TEST_REQUIRE(say(Request::SET_VRING_NUM, wire::VringState{vring, 4}) == 0u);
  BOOST_TEST_REQUIRE(say(Request::SET_VRING_BASE, wire::VringState{vring, packed ? 0x8000u : 0u}) == 0u);
  BOOST_TEST_REQUIRE(say(Request::SET_VRING_ADDR, address) == 0u);
}

void FrontendRig::kick(uint16_t vring) {
  BOOST_TEST_REQUIRE(say(Request::SET_VRING_KICK, uint64_t{vring}, {kick_fd.get()}) == 0u);
  BOOST_TEST_REQUIRE(say(Request::SET_VRING_CALL, uint64_t{vring}, {call_fd.get()}) == 0u);
}

void FrontendRig::set_log(int fd, const wire::Log& where) {
  BOOST_TEST_REQUIRE(say(Request::SET_LOG_BASE, where, {fd}) == 0u);
}

void FrontendRig::enable(uint16_t vring, bool on) {
  BOOST_TEST_REQUIRE(say(Request::SET_VRING_ENABLE, wire::VringState{vring, on ? 1u : 0u}) == 0u);
}

void FrontendRig::start(const Guest& guest, uint16_t vring, uint64_t features) {
  negotiate(features);
  set_memory(guest);
  place(guest, vring);
  kick(vring);
  if ((features & bit(Feature::PROTOCOL_FEATURES)) != 0) enable(vring);
}

uint32_t FrontendRig::stop(uint16_t vring) {
  frontend->send(Request::GET_VRING_BASE, wire::VringState{vring, 0});
  const auto answer = frontend->receive(*this);
  BOOST_REQUIRE(answer.has_value());
  const auto state = answer->as<wire::VringState>();
  BOOST_REQUIRE(state.has_value());
  BOOST_TEST_REQUIRE(state->index == vring);
  return state->num;
}

void Peer::send(size_t length, uint64_t serial) {
  Octets contents(12);
  const Octets frame = made_frame(length, serial);
  contents.insert(contents.end(), frame.begin(), frame.end());
  BOOST_REQUIRE(owner.post(static_cast<uint32_t>(contents.size()), 1, false, contents));
  guest.driver().publish();
}

void Peer::offer(uint32_t octets) {
  BOOST_REQUIRE(owner.post(octets, 1, true));
  guest.driver().publish();
}

uint16_t Peer::reap() {
  return static_cast<uint16_t>(owner.reap_any().size());
}

}  // namespace testbed::ring::test
