// Our virtqueues (vdev/ring): any descriptors, in any order with what the device does. A transmit queue may
// be read in the regions only and writes nothing but its used part; what comes out of it is as long as it
// says.
//
// An input is: u8 bits of what was negotiated and of which queue it is; u8 size; then operations, each an u8:
//   0 a descriptor: u8 slot, u8 where, u16 offset, u32 length, u16 flags, u16 next or id
//   1 an entry of an indirect table: the same
//   2 offer: u8 slot, u8 how many (split: the available ring; packed has its flags)
//   3 the device looks: takes or puts
//   4 it starts again
//   5 any octets: u16 offset in the ring's page, u64 value
#include <fcntl.h>
#include <sys/mman.h>

#include <memory>

#include "core/graph/keep.hpp"
#include "tests/fuzz/target.hpp"
#include "vdev/gate/guest_memory.hpp"
#include "vdev/ring/packed_ring.hpp"
#include "vdev/ring/sink.hpp"
#include "vdev/ring/split_ring.hpp"

using namespace testbed;
using namespace testbed::ring;
using fuzz::expect;

namespace {

constexpr uint64_t kBase = 0x100000, kPage = 4096;
// Two regions of two pages, neighbours for the guest and none in the file. The ring has the first page, its
// tables the second; buffers may lie anywhere.
constexpr uint64_t kOctets = 4 * kPage, kTables = kBase + kPage;
constexpr uint64_t kAvailable = 0x400, kUsed = 0x800;
constexpr uint16_t kLargest = 32;

// One for the whole process, as a session has it.
struct Memory {
  Memory() : file(::memfd_create("fuzz", MFD_CLOEXEC)) {
    expect(::ftruncate(file.get(), kOctets) == 0, "there is memory");
    octets =
        static_cast<std::byte*>(::mmap(nullptr, kOctets, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0));
    wire::MemoryTable all{2, 0, {}};
    all.regions[0] = {kBase, 2 * kPage, kBase, 2 * kPage};
    all.regions[1] = {kBase + 2 * kPage, 2 * kPage, kBase + 2 * kPage, 0};
    gate::Message message = gate::make_message(wire::Request::SET_MEM_TABLE, 0, all);
    for (int i = 0; i < 2; ++i) message.fds.emplace_back(::fcntl(file.get(), F_DUPFD_CLOEXEC, 0));
    gate::GuestMemory table;
    expect(table.set_table(message).has_value(), "it is a table");
    map = *GuestMap::map(table.regions());
    register_guest_frames();
  }
  void write(uint64_t gpa, const void* from, uint32_t length) const {
    if (std::byte* at = map->at(gpa, length)) std::memcpy(at, from, length);
  }

  Fd file;
  std::byte* octets;
  std::shared_ptr<const GuestMap> map;
};
const Memory& memory() {
  static const Memory one;
  return one;
}

struct Set {
  bool packed, indirect, event_index, mergeable, to_guest, short_header;
  uint16_t size;
};

template <typename Ring>
class Device {
 public:
  explicit Device(const Set& set)
      : set_(set),
        ring_(*Ring::place(*memory().map, {0, 0, kBase, kBase + kUsed, kBase + kAvailable, 0}, set.size,
                           {set.event_index, set.indirect}, {})) {
    terms_.map = memory().map.get();
    terms_.header = set.short_header ? 10 : 12;
    terms_.mergeable = set.mergeable;
    start();
  }
  void start() {
    cursor_ = ring_.resume(wire::kPositionStart);
    stuck_ = false;
  }
  void look() {
    if (stuck_) return;
    Faults faults;
    const auto before = cursor_;
    set_.to_guest ? put(faults) : take(faults);
    expect(faults.count <= 2 * kBuffers, "no more buffers are wrong than there are");
    stuck_ = faults.count > 0 && stops_the_ring(faults.last);
    ring_.wants_call(before, cursor_);
    ring_.waiting(cursor_);
  }

 private:
  void take(Faults& faults) {
    static auto scratch = std::make_unique<Scratch>();
    std::array<std::byte, kOctets> was;
    std::memcpy(was.data(), memory().octets, was.size());
    std::array<Packet, kBurst> packets;
    Source<Ring> source(ring_, cursor_, terms_, *scratch, record_);
    const uint16_t count = source.take(packets.data(), faults);
    static std::array<std::byte, kLongestFrame> frame;
    for (uint16_t i = 0; i < count; ++i) {
      expect(packets[i].length <= kLongestFrame, "a frame is no longer than a frame may be");
      expect(copy_frame(packets[i], frame.data(), packets[i].length) == packets[i].length,
             "all of it is there");
    }
    expect(std::memcmp(was.data(), memory().octets, was.size()) == 0, "taking writes nothing");
    expect(scratch->taken >= count && scratch->taken <= kBurst, "every frame has a buffer");
    if (scratch->taken > 0) source.give_back();
    // The ring lies in the third page of the file.
    expect(std::memcmp(was.data(), memory().octets, 2 * kPage) == 0 &&
               std::memcmp(was.data() + 3 * kPage, memory().octets + 3 * kPage, kPage) == 0,
           "giving back writes into the ring only");
  }
  void put(Faults& faults) {
    static auto scratch = std::make_unique<Scratch>();
    std::array<std::byte, 2000> frame;
    frame.fill(std::byte{0x5a});
    std::array<Packet, 8> packets;
    std::array<Packet*, 8> all;
    for (uint16_t i = 0; i < all.size(); ++i) {
      const uint32_t length = 60 + 250 * i;
      packets[i] = {.head = frame.data(),
                    .payload = frame.data(),
                    .length = length,
                    .head_length = static_cast<uint16_t>(std::min<uint32_t>(length, kHeadBytes)),
                    .kind = PayloadKind::memory,
                    .flags = 0};
      all[i] = &packets[i];
    }
    Sink<Ring> sink(ring_, cursor_, terms_, *scratch, record_);
    expect(sink.put(all.data(), all.size(), faults).sent <= all.size(), "no more is sent than was given");
  }

  const Set set_;
  const Ring ring_;
  typename Ring::Cursor cursor_;
  Terms terms_;
  gate::RingRecord record_{};
  bool stuck_ = false;
};

void put_descriptor(fuzz::Input& input, uint64_t table, bool packed) {
  static constexpr uint64_t kWhere[] = {kBase, kTables,           kBase + 2 * kPage, kBase + 4 * kPage - 64,
                                        0,     ~uint64_t{0} - 64, kTables - 64,      kBase + 3 * kPage};
  const auto slot = input.take<uint8_t>();
  const uint64_t address =
      kWhere[input.take<uint8_t>() % std::size(kWhere)] + input.take<uint16_t>() % (2 * kPage);
  const auto length = input.take<uint32_t>();
  const auto flags = input.take<uint16_t>(), other = input.take<uint16_t>();
  const wire::SplitDesc one{address, length, packed ? other : flags, packed ? flags : other};
  memory().write(table + 16 * (slot % kLargest), &one, sizeof one);
}

void offer(fuzz::Input& input, uint16_t size) {
  uint16_t index;
  std::memcpy(&index, memory().map->at(kBase + kAvailable + 2, 2), 2);
  const uint16_t slot = input.take<uint8_t>();
  const auto count = input.take<uint8_t>();
  for (uint16_t i = 0; i < std::min<uint16_t>(count, size); ++i) {
    const uint16_t head = static_cast<uint16_t>(slot + i);
    memory().write(kBase + kAvailable + 4 + 2 * ((index + i) % size), &head, 2);
  }
  index = static_cast<uint16_t>(index + count);
  memory().write(kBase + kAvailable + 2, &index, 2);
}

template <typename Ring>
void play(fuzz::Input& input, const Set& set) {
  Device<Ring> device(set);
  while (!input.empty()) {
    switch (input.take<uint8_t>() % 6) {
      case 0:
        put_descriptor(input, kBase, set.packed);
        break;
      case 1:
        put_descriptor(input, kTables, set.packed);
        break;
      case 2:
        offer(input, set.size);
        break;
      case 3:
        device.look();
        break;
      case 4:
        device.start();
        break;
      case 5: {
        const uint64_t at = kBase + input.take<uint16_t>() % (kPage - 8);
        const auto value = input.take<uint64_t>();
        memory().write(at, &value, sizeof value);
      }
    }
  }
  device.look();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  const auto bits = input.take<uint8_t>();
  const auto wanted = static_cast<uint16_t>(input.take<uint8_t>() % kLargest + 1);
  const Set set{(bits & 1) != 0,
                (bits & 2) != 0,
                (bits & 4) != 0,
                (bits & 8) != 0,
                (bits & 16) != 0,
                (bits & 33) == 32,
                (bits & 1) != 0 ? wanted : std::bit_floor(wanted)};
  std::memset(memory().octets, 0, kOctets);
  if (set.packed)
    play<PackedRing>(input, set);
  else
    play<SplitRing>(input, set);
  return 0;
}
