// Ports and bricks that pass everything on: a saboteur overrides the one call it spoils.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "core/graph/brick.hpp"
#include "core/graph/port.hpp"
#include "tests/sabotage/order.hpp"
#include "tests/sabotage/site.hpp"

namespace testbed::sabotage {

class PortDecorator : public Port {
 public:
  PortDecorator(std::unique_ptr<Port> inner, Turn& turn, Site& site)
      : Port(inner->name()), inner_(std::move(inner)), turn_(turn), site_(site) {}

  nlohmann::json describe() const override { return inner_->describe(); }
  nlohmann::json timeline() const override { return inner_->timeline(); }
  uint16_t queues() const override { return inner_->queues(); }
  void disconnect() override { inner_->disconnect(); }

  uint16_t receive(WorkerContext& worker, uint16_t queue, Packet* packets) override {
    return inner_->receive(worker, queue, packets);
  }
  void release(WorkerContext& worker, uint16_t queue, Packet* packets, uint16_t count) override {
    inner_->release(worker, queue, packets, count);
  }
  uint16_t lanes() const override { return inner_->lanes(); }
  TxOutcome transmit(WorkerContext& worker, uint16_t lane, Packet* const* packets, uint16_t count) override {
    return inner_->transmit(worker, lane, packets, count);
  }
  int arm(uint16_t queue) override { return inner_->arm(queue); }
  void disarm(uint16_t queue) override { inner_->disarm(queue); }

 protected:
  Port& inner() { return *inner_; }
  void end_inner() { inner_.reset(); }
  Turn& turn() { return turn_; }
  Site& site() { return site_; }

 private:
  std::unique_ptr<Port> inner_;
  Turn& turn_;
  Site& site_;
};

class BrickDecorator : public Brick {
 public:
  BrickDecorator(std::unique_ptr<Brick> inner, Turn& turn)
      : Brick(inner->name()), inner_(std::move(inner)), turn_(turn) {}

  Result<Member> attach(const std::string& side, const std::string& peer) override {
    auto member = inner_->attach(side, peer);
    if (member) members_.push_back(*member);
    return member;
  }
  void detach(Member member) override {
    std::erase(members_, member);
    inner_->detach(member);
  }
  Result<void> configure(const nlohmann::json& options) override { return inner_->configure(options); }
  nlohmann::json describe() const override { return inner_->describe(); }
  void tick(uint64_t now_ns) override { inner_->tick(now_ns); }
  Result<nlohmann::json> fdb() const override { return inner_->fdb(); }
  void process(WorkerContext& worker, Member from, Packet* const* packets, uint16_t count,
               Emitter& out) override {
    inner_->process(worker, from, packets, count, out);
  }

 protected:
  Brick& inner() { return *inner_; }
  Turn& turn() { return turn_; }
  // The member that came last: nobody's right destination, if the scenario sends nothing there.
  Member last_member() const { return members_.empty() ? kNoMember : members_.back(); }

 private:
  std::unique_ptr<Brick> inner_;
  Turn& turn_;
  std::vector<Member> members_;  // fixed once traffic runs: scenarios of saboteurs change no edges
};

}  // namespace testbed::sabotage
