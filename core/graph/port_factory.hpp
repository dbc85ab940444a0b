// How a port comes into being: its type's name in the configuration leads to a factory. vdev registers its
// types at start-up; core knows none of them.
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "core/base/event_log.hpp"
#include "core/base/options.hpp"
#include "core/base/result.hpp"
#include "core/graph/port.hpp"

namespace testbed {

// What a port may use for all its life. Outlives every port.
struct PortEnvironment {
  boost::asio::io_context& io;  // the control thread's loop: sockets, timers
  EventLog& events;
  Quiescence& quiescence;
  uint16_t workers;  // any of them may call transmit(); WorkerContext::id is less than this
  std::vector<rte_mempool*>
      pools;  // one per worker. A port that parks mbufs (an ethdev's receive ring) makes its own pool
  std::string directory;  // absolute, writable: state that survives a crash, private sockets
  std::string datapath;   // the configuration's `datapath`: what ports use that do not say
};

struct PortType {
  // Asks for all of a port's options and checks them: pure, called before anything is changed. `type` and
  // `to` are not among them; what it does not ask for is an unknown key.
  std::function<void(Options& options)> check;
  // Makes the port and lets it listen, connect or open its device. Control thread. `options` passed check().
  std::function<Result<std::unique_ptr<Port>>(const std::string& name, const nlohmann::json& options,
                                              PortEnvironment& environment)>
      create;
};

class PortFactories {
 public:
  void add(std::string type, PortType factory) { types_[std::move(type)] = std::move(factory); }
  // nullptr: no such type.
  const PortType* find(const std::string& type) const {
    const auto found = types_.find(type);
    return found == types_.end() ? nullptr : &found->second;
  }
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& [name, factory] : types_) all.push_back(name);
    return all;
  }

 private:
  std::map<std::string, PortType> types_;
};

}  // namespace testbed
