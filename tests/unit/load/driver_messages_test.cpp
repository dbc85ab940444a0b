// What is said for a driver that starts virtqueues and forgets to enable them.
#include "emu/load/driver_messages.hpp"

#include <sys/socket.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <cstring>

#include "core/base/unix_socket.hpp"
#include "tests/unit/base/scratch.hpp"
#include "vdev/wire/vhost_user.hpp"

using namespace testbed;
using wire::Request;

namespace {

// A driver that serves a socket, and a backend that has connected to it.
struct Conversation {
  explicit Conversation(const std::string& path)
      : listener(*listen_unix(path)),
        backend(*connect_unix(path)),
        driver(::accept(listener.get(), nullptr, nullptr)) {}

  template <typename T>
  void say(Request request, T payload, uint32_t flags = wire::kFlagVersion) const {
    wire::VhostUserHeader header{static_cast<uint32_t>(request), flags, sizeof payload};
    std::array<uint8_t, sizeof header + sizeof payload> octets;
    std::memcpy(octets.data(), &header, sizeof header);
    std::memcpy(octets.data() + sizeof header, &payload, sizeof payload);
    iovec part{octets.data(), octets.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    BOOST_TEST(::sendmsg(driver.get(), &message, 0) == static_cast<ssize_t>(part.iov_len));
  }
  void start(uint32_t vring) const { say(Request::SET_VRING_KICK, uint64_t{vring}); }
  void enable(uint32_t vring, bool on = true) const {
    say(Request::SET_VRING_ENABLE, wire::VringState{vring, on});
  }
  // What came to the backend since it was last asked.
  std::vector<uint8_t> heard() const {
    std::vector<uint8_t> octets(4096);
    const ssize_t count = ::recv(backend.get(), octets.data(), octets.size(), MSG_DONTWAIT);
    octets.resize(count > 0 ? static_cast<size_t>(count) : 0);
    return octets;
  }

  Fd listener, backend, driver;
};

using Vrings = std::vector<uint32_t>;

}  // namespace

BOOST_AUTO_TEST_SUITE(driver_messages)

BOOST_AUTO_TEST_CASE(virtqueues_that_were_started_and_not_enabled_are_enabled_once) {
  Scratch scratch;
  load::DriverMessages messages(scratch.file("p0"));
  const Conversation one(scratch.file("p0"));
  one.start(0);
  one.start(1);
  one.heard();
  BOOST_TEST((messages.enable_forgotten() == Vrings{0, 1}));
  const std::vector<uint8_t> heard = one.heard();
  BOOST_TEST_REQUIRE(heard.size() == 40u);
  BOOST_TEST((std::vector<uint8_t>(heard.begin() + 20, heard.end()) ==
              std::vector<uint8_t>{18, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0}));
  BOOST_TEST(messages.enable_forgotten().empty());
}

BOOST_AUTO_TEST_CASE(virtqueues_that_the_driver_enabled_are_left_alone) {
  Scratch scratch;
  load::DriverMessages messages(scratch.file("p0"));
  const Conversation one(scratch.file("p0"));
  for (const uint32_t vring : {0u, 1u}) one.start(vring);
  for (const uint32_t vring : {0u, 1u}) one.enable(vring);
  one.heard();
  BOOST_TEST(messages.enable_forgotten().empty());
  BOOST_TEST(one.heard().empty());
}

BOOST_AUTO_TEST_CASE(what_was_enabled_on_an_earlier_connection_is_forgotten_with_its_next_start) {
  Scratch scratch;
  load::DriverMessages messages(scratch.file("p0"));
  {
    const Conversation first(scratch.file("p0"));
    first.start(0);
    first.enable(0);
  }
  const Conversation second(scratch.file("p0"));
  second.start(0);
  BOOST_TEST((messages.enable_forgotten() == Vrings{0}));
}

BOOST_AUTO_TEST_CASE(answers_and_the_sockets_of_others_are_no_messages_of_the_driver) {
  Scratch scratch;
  load::DriverMessages messages(scratch.file("p0"));
  const Conversation one(scratch.file("p0")), other(scratch.file("p1"));
  one.say(Request::SET_VRING_KICK, uint64_t{0}, wire::kFlagVersion | wire::kFlagReply);
  other.start(0);
  BOOST_TEST(messages.enable_forgotten().empty());
}

BOOST_AUTO_TEST_SUITE_END()
