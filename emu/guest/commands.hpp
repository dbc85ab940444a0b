// Runs shell commands for `exec` and, as an init must, reaps every process that ends.
#pragma once

#include <sys/types.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "core/base/result.hpp"

namespace testbed::guest {

struct Outcome {
  int status = 0;  // exit status, or 128 + signal
  std::string out, err;
};

class Command;

class Commands {
 public:
  static constexpr size_t kMaxOutput = 1u << 20;  // of each stream; what comes after is read and dropped
  using Done = std::function<void(Result<Outcome>)>;

  explicit Commands(boost::asio::io_context& io);
  ~Commands();

  // `sh -c command` in a process group of its own, stdin empty. `done` is called exactly once: with the
  // outcome, with Errc::timeout after the whole group was killed, or with what kept it from starting.
  // Processes it leaves behind in the background live on and do not delay the outcome.
  void run(const std::string& command, std::chrono::milliseconds timeout, Done done);

 private:
  void reap();

  boost::asio::io_context& io_;
  boost::asio::signal_set child_ended_;
  std::map<pid_t, std::shared_ptr<Command>> running_;
};

}  // namespace testbed::guest
