#include "tests/unit/load/echo_backend.hpp"

#include <rte_mbuf.h>
#include <rte_vhost.h>

#include <boost/test/unit_test.hpp>
#include <chrono>

namespace {

EchoBackend* the_backend = nullptr;  // librte_vhost's callbacks carry no context

std::string path_of(int vid) {
  char path[256];
  return rte_vhost_get_ifname(vid, path, sizeof path) == 0 ? path : "";
}

}  // namespace

EchoBackend::EchoBackend(std::vector<std::string> paths, Role role, uint16_t queues)
    : paths_(std::move(paths)), role_(role), queues_(queues) {
  BOOST_REQUIRE(!the_backend);
  the_backend = this;
  pool_ = rte_pktmbuf_pool_create("echo", 1023, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
  BOOST_REQUIRE(pool_);
  come();
  thread_ = std::thread([this] {
    while (!stop_) forward();
  });
}

EchoBackend::~EchoBackend() {
  leave();
  stop_ = true;
  thread_.join();
  rte_mempool_free(pool_);
  the_backend = nullptr;
}

void EchoBackend::come() {
  static const rte_vhost_device_ops ops = {.new_device = on_new, .destroy_device = on_gone};
  for (const auto& path : paths_) {
    BOOST_REQUIRE_EQUAL(
        rte_vhost_driver_register(path.c_str(), role_ == Role::client ? RTE_VHOST_USER_CLIENT : 0), 0);
    BOOST_REQUIRE_EQUAL(rte_vhost_driver_callback_register(path.c_str(), &ops), 0);
    BOOST_REQUIRE_EQUAL(rte_vhost_driver_start(path.c_str()), 0);
  }
}

void EchoBackend::leave() {
  for (const auto& path : paths_) rte_vhost_driver_unregister(path.c_str());
}

int EchoBackend::on_new(int vid) {
  const std::lock_guard lock(the_backend->mutex_);
  the_backend->devices_[path_of(vid)] = vid;
  return 0;
}

void EchoBackend::on_gone(int vid) {
  const std::lock_guard lock(the_backend->mutex_);
  std::erase_if(the_backend->devices_, [vid](const auto& entry) { return entry.second == vid; });
}

void EchoBackend::forward() {
  bool moved = false;
  {
    const std::lock_guard lock(mutex_);
    for (size_t i = 0; i < paths_.size(); ++i) {
      const auto from = devices_.find(paths_[i]), to = devices_.find(paths_[i ^ 1]);
      if (from == devices_.end() || to == devices_.end()) continue;
      for (uint16_t q = 0; q < queues_; ++q) moved |= forward_queue(from->second, to->second, q);
    }
  }
  if (!moved) std::this_thread::sleep_for(std::chrono::microseconds(100));
}

bool EchoBackend::forward_queue(int from, int to, uint16_t queue) {
  rte_mbuf* mbufs[32];
  const uint16_t count =
      rte_vhost_dequeue_burst(from, static_cast<uint16_t>(2 * queue + 1), pool_, mbufs, 32);
  if (count == 0) return false;
  rte_vhost_enqueue_burst(to, static_cast<uint16_t>(2 * queue), mbufs, count);
  rte_pktmbuf_free_bulk(mbufs, count);
  return true;
}
