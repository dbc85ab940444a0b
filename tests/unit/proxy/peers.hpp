// Scripted peers: a front-end and a back-end on either side of a leg, and the loop that the leg runs on.
#pragma once

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/base/clock.hpp"
#include "core/base/process.hpp"
#include "core/base/unix_socket.hpp"
#include "emu/proxy/descriptor_io.hpp"
#include "emu/proxy/leg.hpp"
#include "tests/unit/base/scratch.hpp"
#include "vdev/wire/vhost_user.hpp"

namespace peers {

using namespace testbed;
using namespace testbed::proxy;
using nlohmann::json;
using wire::Request;

inline constexpr uint32_t kRequest = wire::kFlagVersion, kReply = wire::kFlagVersion | wire::kFlagReply;

inline std::vector<std::byte> bytes_of(Request request, uint32_t flags, size_t payload, uint8_t fill = 0xa5) {
  const wire::VhostUserHeader header{static_cast<uint32_t>(request), flags, static_cast<uint32_t>(payload)};
  std::vector<std::byte> bytes(sizeof header + payload, std::byte{fill});
  std::memcpy(bytes.data(), &header, sizeof header);
  return bytes;
}

inline std::vector<Fd> memory_files(size_t count) {
  std::vector<Fd> files;
  for (size_t i = 0; i < count; ++i) files.emplace_back(::memfd_create("peer", MFD_CLOEXEC));
  return files;
}

inline ino_t inode_of(const Fd& fd) {
  struct stat info {};
  BOOST_REQUIRE_EQUAL(::fstat(fd.get(), &info), 0);
  return info.st_ino;
}

inline std::vector<ino_t> inodes_of(const std::vector<Fd>& fds) {
  std::vector<ino_t> all;
  for (const Fd& fd : fds) all.push_back(inode_of(fd));
  return all;
}

inline size_t open_descriptors() {
  return process_resources()["fds"].get<size_t>();
}

// One end of a connection. Everything that came is collected as it is looked at.
struct Peer {
  Fd fd;
  std::vector<std::byte> bytes;
  std::vector<Fd> fds;
  std::vector<size_t> fds_at;  // how many bytes had come when descriptors came
  size_t at_once = 4096;       // the kernel hands descriptors out with the whole of what one call reads
  bool ended = false;

  void send(const std::vector<std::byte>& message, const std::vector<Fd>& files = {}) const {
    BOOST_REQUIRE_EQUAL(transmit(fd.get(), message, files), static_cast<ssize_t>(message.size()));
  }
  void look() {
    std::array<std::byte, 4096> buffer;
    while (fd && !ended) {
      Received received = receive(fd.get(), std::span(buffer).first(at_once));
      if (received.bytes == -EAGAIN) return;
      if (!received.fds.empty()) fds_at.push_back(bytes.size());
      for (Fd& one : received.fds) fds.push_back(std::move(one));
      if (received.bytes <= 0)
        ended = true;
      else
        bytes.insert(bytes.end(), buffer.begin(), buffer.begin() + received.bytes);
    }
  }
};

// A loop, a directory, and one leg on which the proxy listens at the front and connects at the back.
struct Loop {
  boost::asio::io_context io;
  EventLog events;
  DirectoryWatch watch{io};
  Scratch scratch;

  // Runs the loop until `done`, twenty seconds at most: a busy machine is no failure.
  bool until(const std::function<bool()>& done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!done()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      io.restart();
      if (io.poll() == 0) io.run_one_for(std::chrono::milliseconds(1));
    }
    return true;
  }
  // Everything that can happen without anybody doing something has happened.
  void settle() {
    io.restart();
    while (io.poll() > 0) io.restart();
  }
  size_t count(const std::string& name) const {
    size_t found = 0;
    for (const json& event : events.since(1)) found += event["name"] == name;
    return found;
  }
  json last(const std::string& name) const {
    json found;
    for (const json& event : events.since(1))
      if (event["name"] == name) found = event;
    return found;
  }
};

struct Connected : Loop {
  Connected() { BOOST_REQUIRE(leg.open().has_value()); }

  LegConfig config() const {
    return {"l", {scratch.file("front"), Role::server}, {scratch.file("back"), Role::client}, {}};
  }
  // A new session: the back-end listens (still), the front-end connects.
  void connect() {
    if (!listening) listening = std::move(*listen_unix(scratch.file("back")));
    front = Peer{};
    back = Peer{};
    front.fd = std::move(*connect_unix(scratch.file("front")));
    BOOST_REQUIRE(until([this] {
      if (!back.fd) back.fd.reset(::accept4(listening.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      return static_cast<bool>(back.fd);
    }));
  }
  // Waits until `peer` has got as much.
  bool gets(Peer& peer, size_t bytes) {
    return until([&] {
      peer.look();
      return peer.bytes.size() >= bytes;
    });
  }
  bool ends(Peer& peer) {
    return until([&] {
      peer.look();
      return peer.ended;
    });
  }
  // Nothing (more) comes although everything had its chance.
  bool quiet(Peer& peer, size_t bytes) {
    settle();
    peer.look();
    return peer.bytes.size() == bytes && !peer.ended;
  }
  uint64_t arm(json fault) {
    Mistakes mistakes;
    auto spec = parse_fault(fault, "", mistakes);
    BOOST_REQUIRE(spec.has_value());
    return *leg.arm(std::move(*spec));
  }
  json fault(size_t index = 0) { return leg.status()["faults"][index]; }

  Leg leg{io, events, watch, config()};
  Fd listening;
  Peer front, back;
};

}  // namespace peers
