// Captures as ports: a file that is received, a file that is written. No privilege is needed.
#include <cstring>
#include <fstream>
#include <iterator>

#include "tests/unit/nic/nic_rig.hpp"

using namespace testbed;
using namespace testbed::test;

namespace {

struct FileHeader {  // https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html
  uint32_t magic = 0xa1b2c3d4;
  uint16_t major = 2, minor = 4;
  uint32_t zone = 0, accuracy = 0, snap_length = 65535, link_type = 1;
};
struct RecordHeader {
  uint32_t seconds = 0, fraction = 0, captured = 0, length = 0;
};

void write_capture(const std::string& path, const std::vector<Frame>& frames) {
  std::ofstream file(path, std::ios::binary);
  const FileHeader header;
  file.write(reinterpret_cast<const char*>(&header), sizeof header);
  for (const Frame& bytes : frames) {
    const auto length = static_cast<uint32_t>(bytes.size());
    const RecordHeader record{.captured = length, .length = length};
    file.write(reinterpret_cast<const char*>(&record), sizeof record);
    file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
}

std::vector<Frame> read_capture(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  FileHeader header;
  file.read(reinterpret_cast<char*>(&header), sizeof header);
  std::vector<Frame> frames;
  for (RecordHeader record; file.read(reinterpret_cast<char*>(&record), sizeof record);) {
    Frame& bytes = frames.emplace_back(record.captured);
    file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
  return frames;
}

std::string files(const Scratch& scratch) {
  return "net_pcap0,rx_pcap=" + scratch.file("in.pcap") + ",tx_pcap=" + scratch.file("out.pcap");
}

}  // namespace

BOOST_AUTO_TEST_SUITE(pcap)

BOOST_AUTO_TEST_CASE(a_capture_is_received_frame_by_frame_and_what_is_sent_is_written) {
  NicRig rig;
  std::vector<Frame> all;
  for (uint16_t i = 0; i < 100; ++i) all.push_back(frame(station(1), station(i), 60 + 14u * i));
  write_capture(rig.scratch.file("in.pcap"), all);
  rig.lan({{"up", nic(files(rig.scratch))}});
  BOOST_REQUIRE(rig.inside().wait_for(all.size(), std::chrono::seconds(10)));
  BOOST_TEST((rig.inside().collect() == all));
  for (const Frame& bytes : all) rig.inside().inject(bytes);
  BOOST_TEST(Live::eventually([&] { return rig.sums("up").all.tx_packets == all.size(); }));
  rig.lan(nlohmann::json::object());  // closes the file
  BOOST_TEST((read_capture(rig.scratch.file("out.pcap")) == all));
  BOOST_TEST(rig.balanced());
  BOOST_TEST(mbufs_in_use() == 0u);
}

BOOST_AUTO_TEST_CASE(frames_of_nine_thousand_octets_pass_when_the_mtu_says_so) {
  NicRig rig;
  const std::vector<Frame> all = {frame(station(1), station(2), 9014), frame(station(1), station(2), 60)};
  write_capture(rig.scratch.file("in.pcap"), all);
  rig.lan({{"up", nic(files(rig.scratch), {{"mtu", 9000}})}});
  BOOST_REQUIRE(rig.inside().wait_for(2, std::chrono::seconds(10)));
  BOOST_TEST((rig.inside().collect() == all));
  rig.inside().inject(all[0]);
  rig.inside().inject(frame(station(1), station(2), 9015));
  BOOST_TEST(Live::eventually([&] { return rig.drops("up", DropReason::too_big) == 1; }));
  rig.lan(nlohmann::json::object());
  BOOST_TEST((read_capture(rig.scratch.file("out.pcap")) == std::vector<Frame>{all[0]}));
}

BOOST_AUTO_TEST_CASE(longer_frames_of_a_capture_stay_outside_and_are_counted) {
  NicRig rig;
  const Frame fits = frame(station(1), station(2), 1514);
  write_capture(rig.scratch.file("in.pcap"), {frame(station(1), station(2), 9000), fits});
  rig.lan({{"up", nic(files(rig.scratch))}});
  BOOST_REQUIRE(rig.inside().wait_for(1, std::chrono::seconds(10)));
  BOOST_TEST((rig.inside().collect() == std::vector<Frame>{fits}));
  BOOST_TEST(rig.up()["rx_too_big"] == 1);
}

BOOST_AUTO_TEST_CASE(a_capture_that_is_not_there_is_named) {
  NicRig rig;
  const std::string said = rig.refusal(nic(files(rig.scratch)));
  BOOST_TEST(said.find("in.pcap") != std::string::npos, said);
  write_capture(rig.scratch.file("in.pcap"), {});
  BOOST_TEST(rig.refusal(nic(files(rig.scratch))) == "");
}

BOOST_AUTO_TEST_SUITE_END()
