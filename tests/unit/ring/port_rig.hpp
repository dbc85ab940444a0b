// A ring port whose only worker is the test.
#pragma once

#include <functional>
#include <utility>

#include "session_rig.hpp"
#include "vdev/ring/ring_port.hpp"

namespace testbed::ring::test {

// While somebody waits for the worker, it does what it still has to.
struct OneWorker : Quiescence {
  void wait() override {
    ++waits;
    if (const auto act = std::exchange(finish, nullptr)) act();
  }
  void wake() override { ++wakes; }
  std::function<void()> finish;
  int waits = 0, wakes = 0;
};

struct PortRig : FrontendRig {
  PortRig()
      : port(*RingPort::open("p0", {"p0", path, gate::Role::server, 2}, environment, watch, doorbell,
                             scratches)) {
    connect();
  }
  uint16_t receive() { return port->receive(worker, 0, packets.data()); }
  // One burst of the worker that polls the first pair.
  uint16_t burst() {
    const uint16_t count = receive();
    if (count > 0) port->release(worker, 0, packets.data(), count);
    end_round();
    return count;
  }
  void end_round() {
    if (worker.after_round) std::exchange(worker.after_round, nullptr)->after_round();
  }
  TxOutcome transmit(size_t length) {
    Made made(length);
    Packet* const all[] = {&made.packet};
    const TxOutcome outcome = port->transmit(worker, 0, all, 1);
    end_round();
    return outcome;
  }
  nlohmann::json queue(uint16_t vring) const {
    const nlohmann::json port_now = port->describe();
    for (const nlohmann::json& queue : port_now.at("session").at("queues"))
      if (queue.at("index") == vring) return queue;
    return nullptr;
  }

  OneWorker workers;
  PortEnvironment environment{io, events, workers, 1, {}, scratch.path, "ring"};
  gate::Doorbell doorbell{io};
  Scratches scratches{1};
  WorkerContext worker;
  std::array<Packet, kBurst> packets;
  std::unique_ptr<Port> port;
};

}  // namespace testbed::ring::test
