// A backend on librte_vhost in the test's own process: what comes from one port of a pair leaves by the
// other.
#pragma once

#include <rte_mempool.h>

#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

class EchoBackend {
 public:
  enum class Role { client, server };

  // Ports 0 and 1, 2 and 3... are pairs. Each has this many pairs of queues.
  EchoBackend(std::vector<std::string> paths, Role role, uint16_t queues = 1);
  ~EchoBackend();

  // A backend that dies and one that is started again.
  void leave();
  void come();

 private:
  static int on_new(int vid);
  static void on_gone(int vid);
  void forward();
  bool forward_queue(int from, int to, uint16_t queue);

  std::vector<std::string> paths_;
  Role role_;
  uint16_t queues_;
  rte_mempool* pool_;
  std::mutex mutex_;
  std::map<std::string, int> devices_;  // guarded by mutex_
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};
