#include "core/base/process.hpp"

#include <unistd.h>

#include <boost/asio/post.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "core/base/clock.hpp"

namespace testbed {

using nlohmann::json;

namespace {

size_t count_entries(const char* directory) {
  std::error_code ignored;
  size_t count = 0;
  for (std::filesystem::directory_iterator it(directory, ignored), end; it != end; it.increment(ignored))
    ++count;
  return count;
}

size_t count_lines(const char* file) {
  std::ifstream in(file);
  size_t lines = 0;
  for (std::string line; std::getline(in, line);) ++lines;
  return lines;
}

size_t resident_kb() {
  std::ifstream in("/proc/self/statm");
  size_t total = 0, resident = 0;
  in >> total >> resident;
  return resident * static_cast<size_t>(::sysconf(_SC_PAGESIZE)) / 1024;
}

}  // namespace

json process_resources() {
  return {{"fds", count_entries("/proc/self/fd") - 1},  // less the one that lists them
          {"threads", count_entries("/proc/self/task")},
          {"mappings", count_lines("/proc/self/maps")},
          {"rss_kb", resident_kb()}};
}

Process::Process(std::string program) : program_(std::move(program)) {
  events_.emit("process.started", {{"program", program_}, {"pid", ::getpid()}});
  std::signal(SIGPIPE, SIG_IGN);
  signals_.add(SIGINT);
  signals_.add(SIGTERM);
  wait_for_signal();
  rpc_.method("ping", [](const json&) -> Result<json> { return json{{"t", now_ns()}}; });
  rpc_.method("resources", [this](const json&) -> Result<json> {
    json all = process_resources();
    for (const auto& fill : resources_) fill(all);
    return all;
  });
  rpc_.method("shutdown", [this](const json& params) -> Result<json> {
    const bool graceful = params.value("graceful", true);
    boost::asio::post(io_, [this, graceful] { stop(graceful); });  // the reply leaves first
    return json::object();
  });
}

void Process::wait_for_signal() {
  signals_.async_wait([this](boost::system::error_code error, int) {
    if (error) return;
    if (stopping_) return io_.stop();  // asked twice: do not wait for anything
    stop(true);
    wait_for_signal();
  });
}

int Process::run() {
  io_.run();
  return 0;
}

void Process::stop(bool graceful) {
  if (std::exchange(stopping_, true)) return;
  events_.emit("process.stopping", {{"program", program_}, {"graceful", graceful}});
  if (shutdown_) shutdown_(graceful);
  // What was queued for clients (the reply, the last events) leaves before the sockets close.
  boost::asio::post(io_, [this] {
    boost::asio::post(io_, [this] {
      rpc_.close();
      io_.stop();
    });
  });
}

}  // namespace testbed
