// A network namespace of the test's own, interfaces in it, and sockets on them.
#pragma once

#include <boost/test/tree/decorator.hpp>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <optional>
#include <string>

#include "core/base/fd.hpp"
#include "tests/unit/core/frames.hpp"

namespace testbed::test {

// Moves the process into a network namespace that ends with it: as root, or as the root of a user namespace
// where the kernel lets everybody have one. Before the first thread is made.
void enter_netns();
// In such a namespace: there the process may make any interface.
bool in_netns();

// Preconditions, so that what is missing is skipped by name.
boost::test_tools::assertion_result has_taps(boost::unit_test::test_unit_id);
boost::test_tools::assertion_result has_packet_sockets(boost::unit_test::test_unit_id);

// Runs `ip ARGUMENTS`; the test fails when that does.
void ip(const std::string& arguments);
bool interface_exists(const std::string& name);
// What the kernel counts as received by an interface.
uint64_t kernel_rx_packets(const std::string& name);

// A packet socket: the kernel's side of an interface.
class Wire {
 public:
  explicit Wire(const std::string& interface);

  void send(const Frame& bytes);
  // The next frame that came out of the switch; nullopt when none came before a generous deadline.
  std::optional<Frame> receive(std::chrono::milliseconds deadline = std::chrono::seconds(10));

 private:
  Fd socket_;
};

// A pair of interfaces joined by a cable, without addresses and offloads; removed with the object.
class Cable {
 public:
  Cable(std::string a, const std::string& b);
  ~Cable();

 private:
  std::string a_;
};

}  // namespace testbed::test
