// A transport of vectors, and a world of ends that are joined by nothing but what a test does with their
// frames.
#pragma once

#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "emu/flow/engine.hpp"
#include "emu/flow/service.hpp"

namespace testbed::flow {

using Octets = std::vector<uint8_t>;

class MemoryTransport : public Transport {
 public:
  explicit MemoryTransport(uint16_t queues = 1, size_t ring = 256) : out(queues), in(queues), ring_(ring) {}

  uint16_t queues() const override { return static_cast<uint16_t>(out.size()); }
  uint32_t max_frame() const override { return longest; }
  bool link_up() const override { return up; }
  uint16_t reserve(uint16_t, Frame* frames, uint16_t count) override {
    for (uint16_t i = 0; i < count; ++i) frames[i].data = scratch_[i];
    return count;
  }
  uint16_t send(uint16_t queue, Frame* frames, uint16_t count) override {
    uint16_t sent = 0;
    for (; sent < count && out[queue].size() < ring_; ++sent)
      out[queue].emplace_back(frames[sent].data, frames[sent].data + frames[sent].length);
    return sent;
  }
  uint16_t receive(uint16_t queue, Frame* frames, uint16_t count) override {
    lent_.clear();
    while (lent_.size() < count && !in[queue].empty()) {
      lent_.push_back(std::move(in[queue].front()));
      in[queue].pop_front();
    }
    for (size_t i = 0; i < lent_.size(); ++i)
      frames[i] = {lent_[i].data(), static_cast<uint32_t>(lent_[i].size()), nullptr};
    return static_cast<uint16_t>(lent_.size());
  }
  void release(uint16_t, Frame*, uint16_t) override { lent_.clear(); }

  std::vector<std::deque<Octets>> out, in;  // by queue
  bool up = true;
  uint32_t longest = kMaxFrame;

 private:
  size_t ring_;
  uint8_t scratch_[kBurst][kMaxFrame];
  std::vector<Octets> lent_;
};

inline Mac mac(uint8_t end, uint8_t low = 1) {
  return {{2, 0, 0, end, 0, low}};
}

// Ends named "a", "b", "c"... with the addresses mac(0), mac(1), mac(2)...
struct World {
  explicit World(size_t ends = 2, uint16_t queues = 1, size_t ring = 256) {
    for (size_t i = 0; i < ends; ++i) {
      transports.push_back(std::make_unique<MemoryTransport>(queues, ring));
      BOOST_REQUIRE(engine.add_end(name(i), *transports[i], mac(static_cast<uint8_t>(i))).has_value());
    }
  }
  static std::string name(size_t end) { return std::string(1, static_cast<char>('a' + end)); }

  nlohmann::json call(const std::string& method, const nlohmann::json& params = nlohmann::json::object()) {
    for (auto& [known, handler] : service.methods())
      if (known == method) {
        const auto result = handler(params);
        BOOST_REQUIRE_MESSAGE(result.has_value(), method + ": " + (result ? "" : result.error().message));
        return *result;
      }
    BOOST_FAIL("no method " + method);
    return {};
  }
  // A flow 1 from a to b, or as `send` and `expect` say.
  void make_flow(nlohmann::json send, nlohmann::json expect = nlohmann::json::object()) {
    send.update({{"flow", 1},
                 {"name", "probe"},
                 {"frontend", "a"},
                 {"run", 9},
                 {"src", to_string(mac(0))},
                 {"dst", to_string(mac(1))}});
    expect.update(
        {{"flow", 1}, {"name", "probe"}, {"frontend", "b"}, {"run", 9}, {"mac", to_string(mac(1))}});
    if (send.contains("streams")) expect["streams"] = send["streams"];
    if (send.contains("window")) expect["reply_to"] = to_string(mac(0));
    call("flow.expect", expect);
    call("flow.send", send);
  }
  // Time passes in steps; after each, everybody polls, and `carry` moves frames.
  void pass(uint64_t ns, const std::function<void()>& carry, uint64_t step_ns = 100'000) {
    for (const uint64_t end = clock + ns; clock < end; clock += step_ns) {
      engine.poll();
      carry();
    }
    engine.poll();
  }
  // From one end's transmit queues to another's receive queues, all that lies there; `alter` may drop (false)
  // or change.
  void carry(size_t from, size_t to, const std::function<bool(Octets&)>& alter = {}) {
    auto& out = transports[from]->out;
    auto& in = transports[to]->in;
    for (size_t q = 0; q < out.size(); ++q)
      for (; !out[q].empty(); out[q].pop_front())
        if (!alter || alter(out[q].front())) in[q % in.size()].push_back(std::move(out[q].front()));
  }
  void carry_both() {
    carry(0, 1);
    carry(1, 0);
  }
  // All flows stop, and what is on its way arrives.
  void settle() {
    call("flow.stop");
    pass(10'000'000, [this] { carry_both(); });
  }
  nlohmann::json sender() { return call("flow.report", {{"flow", 1}})["1"]["sender"]; }
  nlohmann::json receiver() { return call("flow.report", {{"flow", 1}})["1"]["receiver"]; }
  nlohmann::json status(const std::string& end) { return call("frontend.status")[end]; }

  uint64_t clock = 1'000'000'000;
  std::vector<std::pair<std::string, nlohmann::json>> events;
  FlowEngine engine{
      [this](std::string_view name, nlohmann::json fields) { events.emplace_back(name, std::move(fields)); },
      [this] { return clock; }};
  FlowService service{engine, [](const std::function<void()>& work) { work(); }};
  std::vector<std::unique_ptr<MemoryTransport>> transports;
};

inline bool is_probe(const Octets& frame) {
  Probe probe;
  return read_probe(frame.data(), static_cast<uint32_t>(frame.size()), probe) == Verdict::good &&
         probe.kind == Kind::probe;
}

inline constexpr uint64_t kMs = 1'000'000, kSecond = 1'000'000'000;

}  // namespace testbed::flow
