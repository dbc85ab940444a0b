// The thread that polls the flow engine, and with it every ring of every frontend of this process. Others
// have work done there, between two polls. When nothing moves it sleeps until a backend calls, a frame is
// due, or there is work.
#pragma once

#include <poll.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "core/base/event_log.hpp"
#include "core/base/fd.hpp"
#include "emu/driver/net/net_device.hpp"
#include "emu/flow/engine.hpp"

namespace testbed::driver {

class DataThread {
 public:
  explicit DataThread(EventLog& events);
  ~DataThread();
  DataThread(const DataThread&) = delete;
  DataThread& operator=(const DataThread&) = delete;

  // Use it in work given to run() only.
  flow::FlowEngine& engine() { return engine_; }
  // Any other thread: returns when `work` has run.
  void run(const std::function<void()>& work);

  // In work given to run(). A device that is polled never gets the thread to sleep for long.
  void add(NetDevice& device, bool interrupts);
  void remove(NetDevice& device);

 private:
  struct Ticket {
    const std::function<void()>* work;
    bool done = false;
  };

  void loop();
  bool do_work();
  void rest(const flow::Activity& activity);
  bool arm_all();

  flow::FlowEngine engine_;
  Fd wake_;
  std::mutex mutex_;
  std::condition_variable finished_;
  std::vector<Ticket*> tickets_;
  std::atomic<bool> waiting_ = false;  // somebody wants work done
  std::atomic<bool> stop_ = false;
  std::set<NetDevice*> interrupted_, polled_;
  std::vector<pollfd> watched_;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace testbed::driver
