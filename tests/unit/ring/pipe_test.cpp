// Frames go through our rings from guest to guest, over many laps and every kind of ring, and nothing else
// happens.
#include "pipe.hpp"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "pipe_cases.hpp"

namespace testbed::ring::test {
namespace {

template <typename Ring>
class Pipe {
 public:
  explicit Pipe(const PipeCase& c)
      : case_(c),
        from_({c.ring, c.header, c.mergeable, c.logged}),
        to_({c.ring, c.header, c.mergeable, c.logged}),
        sender_(from_, c.ring.size + c.ring.first),
        receiver_(to_, c.ring.size * 3u + c.ring.first),
        out_(from_.make_ring<Ring>()),
        in_(to_.make_ring<Ring>()),
        out_cursor_(out_.resume(c.ring.first)),
        in_cursor_(in_.resume(c.ring.first)) {}

  void run(uint64_t buffers) {
    while (sender_.returned() < buffers || receiver_.returned() < buffers) {
      offer();
      burst();
      if (sender_.pick(0, 2) > 0) sender_.reap();
      if (receiver_.pick(0, 2) > 0) receiver_.reap();
    }
    BOOST_TEST(forwarded_ > 0u);
  }

 private:
  size_t most() const { return case_.ring.indirect ? kChain : std::min<size_t>(kChain, case_.ring.size); }

  void offer() {
    for (size_t i = sender_.pick(0, 40); i > 0; --i) {
      const size_t longest = sender_.pick(0, 9) == 0 && !case_.mergeable ? 9000 : 1500;
      const size_t length = sender_.pick(0, 3) == 0 ? sender_.pick(0, 130) : sender_.pick(14, longest);
      const Octets frame = made_frame(length, ++serial_);
      Octets contents(case_.header, std::byte(0xee));
      contents.insert(contents.end(), frame.begin(), frame.end());
      if (!sender_.post(static_cast<uint32_t>(contents.size()), most(), false, contents)) break;
      sender_.waiting().back().frame = frame;
    }
    from_.driver().publish();
    for (size_t i = receiver_.pick(0, 40); i > 0; --i) {
      const size_t room = case_.mergeable ? receiver_.pick(200, 2000)
                                          : receiver_.pick(receiver_.pick(0, 4) == 0 ? 12 : 1600, 9100);
      if (!receiver_.post(static_cast<uint32_t>(room), most(), true)) break;
    }
    to_.driver().publish();
  }

  // Frames the source finds in one look: a burst, or what the undo log of a packed ring holds.
  uint16_t in_sight() {
    uint16_t count = 0;
    size_t slots = 0;
    for (const Posted& posted : sender_.waiting()) {
      if (count == kBurst) break;
      slots += posted.slots;
      if (case_.ring.packed && slots > gate::RingRecord::kUndo && count > 0) break;
      ++count;
    }
    return count;
  }

  void burst() {
    poke_event(from_, sender_);
    from_.copy_to(from_image_);
    std::array<Packet, kBurst> packets;
    Faults faults;
    Source<Ring> source(out_, out_cursor_, from_.terms, scratch_, from_.record());
    const uint16_t count = source.take(packets.data(), faults);
    BOOST_TEST_REQUIRE(count == in_sight());
    for (uint16_t i = 0; i < count; ++i) check(packets[i], sender_.waiting()[i].frame);
    check_log(from_);
    forward(packets, count, faults);
    BOOST_TEST_REQUIRE(faults.count == 0);
    BOOST_REQUIRE(from_.is(from_image_));
    if (count > 0) give_back(source, count);
  }

  // Every page that was written, and no other.
  void check_log(const Guest& guest) const {
    const std::vector<uint64_t> written = guest.take_expected();
    if (case_.logged) BOOST_TEST_REQUIRE(guest.take_dirty() == written, boost::test_tools::per_element());
  }

  void check(const Packet& packet, const Octets& frame) {
    BOOST_TEST_REQUIRE(packet.length == frame.size());
    BOOST_TEST_REQUIRE(packet.head_length == std::min<size_t>(frame.size(), kHeadBytes));
    Octets seen(frame.size());
    BOOST_TEST_REQUIRE(copy_frame(packet, seen.data(), 65536) == frame.size());
    BOOST_REQUIRE(seen == frame);
  }

  void give_back(Source<Ring>& source, uint16_t count) {
    for (uint16_t i = 0; i < count; ++i) {
      const Posted posted = sender_.give_back(0);
      out_model_.expect(from_image_, posted.token, 0, posted.slots);
    }
    const auto was = out_cursor_;
    source.give_back();
    BOOST_REQUIRE(from_.is(from_image_));
    check_log(from_);
    check_call(from_, out_, was, out_cursor_, out_model_);
  }

  // -- The receiver: what put() does with these frames, frame by frame.
  void forward(std::array<Packet, kBurst>& packets, uint16_t count, Faults& faults) {
    std::array<Packet*, kBurst> all;
    for (uint16_t i = 0; i < count; ++i) all[i] = &packets[i];
    for (uint16_t next = 0; next < count;) {
      poke_event(to_, receiver_);
      to_.copy_to(to_image_);
      uint16_t sent = next;
      bool refused = false;
      while (sent < count && receive(sender_.waiting()[sent].frame, refused)) ++sent;
      const auto was = in_cursor_;
      Sink<Ring> sink(in_, in_cursor_, to_.terms, scratch_, to_.record());
      const auto outcome = sink.put(all.data() + next, static_cast<uint16_t>(count - next), faults);
      BOOST_TEST_REQUIRE(outcome.sent == sent - next);
      BOOST_TEST_REQUIRE(outcome.more == refused);
      if (sent < count)
        BOOST_TEST((outcome.reason == (refused ? DropReason::too_big : DropReason::ring_full)));
      BOOST_REQUIRE(to_.is(to_image_));
      check_log(to_);
      check_call(to_, in_, was, in_cursor_, in_model_);
      forwarded_ += outcome.sent;
      if (!refused) return;
      next = static_cast<uint16_t>(sent + 1);
    }
  }

  // Of the receiver's buffers, those that one frame may take; `last`: there can never be more of them.
  size_t reach(bool& last) {
    size_t count = 0, slots = 0, descriptors = 0;
    last = false;
    for (const Posted& posted : receiver_.waiting()) {
      slots += posted.slots;
      if (count == kBuffers || (case_.ring.packed && slots > gate::RingRecord::kUndo && count > 0))
        last = true;
      if (last) return count;
      ++count;
      descriptors += receiver_descriptors(posted);
    }
    last = count == kBuffers || (case_.ring.packed && slots >= gate::RingRecord::kUndo) ||
           descriptors == case_.ring.size;
    return count;
  }
  size_t receiver_descriptors(const Posted& posted) {
    return to_.driver().descriptors_for(posted.segments.size());
  }

  // How many buffers from the front a frame takes. 0: it does not go in.
  size_t needed(size_t octets, bool& refused) {
    auto& waiting = receiver_.waiting();
    if (waiting.empty()) return 0;
    if (!case_.mergeable) {
      refused = waiting.front().octets < octets;
      return refused ? 0 : 1;
    }
    bool last = false;
    size_t room = 0;
    const size_t within = reach(last);
    for (size_t i = 0; i < within; ++i)
      if ((room += waiting[i].octets) >= octets) return i + 1;
    refused = last;
    return 0;
  }

  bool receive(const Octets& frame, bool& refused) {
    Octets all(case_.header, std::byte{0});
    const size_t buffers = needed(all.size() + frame.size(), refused);
    if (buffers == 0) return false;
    if (case_.header == 12) all[10] = std::byte(uint8_t(buffers));
    all.insert(all.end(), frame.begin(), frame.end());
    std::span<const std::byte> rest(all);
    for (size_t i = 0; i < buffers; ++i) {
      const auto here =
          static_cast<uint32_t>(std::min<size_t>(receiver_.waiting().front().octets, rest.size()));
      const Posted posted = receiver_.give_back(here);
      std::span<const std::byte> part = rest.first(here);
      for (const auto& segment : posted.segments) {
        const auto now = part.first(std::min<size_t>(segment.length, part.size()));
        to_.expect(to_image_, segment.gpa, now);
        part = part.subspan(now.size());
      }
      rest = rest.subspan(here);
      in_model_.expect(to_image_, posted.token, here, posted.slots);
    }
    return true;
  }

  // -- Notifications: a driver that wants to be called at some place not far from where the device is.
  void poke_event(Guest& guest, Owner& owner) {
    const bool packed = case_.ring.packed;
    const auto near = static_cast<uint16_t>((&guest == &from_ ? out_model_ : in_model_).position() +
                                            owner.pick(0, 40) - 10);
    const uint64_t area = guest.place.available;
    const uint16_t flags = static_cast<uint16_t>(owner.pick(0, packed ? 2 : 1));
    Octets octets(2);
    std::memcpy(octets.data(), &flags, 2);
    guest.write(area + (packed ? 2 : 0), octets);
    uint16_t event = owner.pick(0, 7) == 0 ? static_cast<uint16_t>(owner.pick(0, 65535)) : near;
    if (packed) {
      const uint16_t slot = static_cast<uint16_t>((event & 0x7fff) % case_.ring.size);
      event = static_cast<uint16_t>(slot | (owner.pick(0, 1) ? 0x8000 : 0));
    }
    std::memcpy(octets.data(), &event, 2);
    guest.write(area + (packed ? 0 : 4 + 2ull * case_.ring.size), octets);
  }

  // Virtio 1.2, 2.7.7.2 and 2.8.10: at the event, if there is one; else as the flags say.
  void check_call(const Guest& guest, const Ring& ring, const typename Ring::Cursor& was,
                  const typename Ring::Cursor& now, UsedModel& model) {
    const std::vector<uint16_t> passed = model.take_passed();
    if (passed.empty()) return;
    const auto word = [&](uint64_t at) {
      uint16_t value;
      std::memcpy(&value, guest.read(guest.place.available + at, 2).data(), 2);
      return value;
    };
    const uint16_t flags = word(case_.ring.packed ? 2 : 0);
    const bool by_event = case_.ring.event_idx && (!case_.ring.packed || flags == 2);
    const uint16_t event = word(case_.ring.packed ? 0 : 4 + 2ull * case_.ring.size);
    const bool wanted =
        by_event ? std::find(passed.begin(), passed.end(), event) != passed.end() : flags != 1;
    BOOST_TEST_REQUIRE(ring.wants_call(was, now) == wanted);
  }

  const PipeCase case_;
  Guest from_, to_;
  Owner sender_, receiver_;
  Ring out_, in_;
  typename Ring::Cursor out_cursor_, in_cursor_;
  UsedModel out_model_{from_}, in_model_{to_};
  Scratch scratch_;
  Octets from_image_, to_image_;
  uint64_t serial_ = 0, forwarded_ = 0;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(pipe)

BOOST_DATA_TEST_CASE(frames_come_out_as_they_went_in_and_nothing_else_is_written,
                     boost::unit_test::data::make(pipe_cases()), c) {
  // Several times round the small rings; the large ones begin shortly before their wrap.
  const uint64_t buffers = std::min<uint64_t>(3000, std::max<uint64_t>(300, 5ull * c.ring.size));
  if (c.ring.packed)
    Pipe<PackedRing>(c).run(buffers);
  else
    Pipe<SplitRing>(c).run(buffers);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace testbed::ring::test
