#include "vdev/gate/patrol.hpp"

#include <boost/asio/io_context.hpp>
#include <utility>
#include <vector>

namespace testbed::gate {

Patrol::Patrol(boost::asio::execution_context& loop)
    : service(loop), timer_(static_cast<boost::asio::io_context&>(loop)) {
}

void Patrol::add(const void* owner, std::function<void()> look) {
  looks_.try_emplace(owner, std::move(look));
  wait();
}

void Patrol::wait() {
  if (looks_.empty() || std::exchange(waiting_, true)) return;
  timer_.expires_after(kEvery);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    waiting_ = false;
    walk();
    wait();
  });
}

void Patrol::walk() {
  std::vector<const void*> owners;
  for (const auto& [owner, look] : looks_) owners.push_back(owner);
  for (const void* owner : owners)
    if (const auto found = looks_.find(owner); found != looks_.end()) std::function(found->second)();
}

}  // namespace testbed::gate
