#include "emu/load/quiet_moment.hpp"

#include <rte_alarm.h>

#include <future>

#include "core/base/clock.hpp"

namespace testbed::load {

namespace {

// The driver's alarms are due one microsecond after they are set.
constexpr uint64_t kLater_us = 20;

struct Moment {
  const std::function<void()>& work;
  std::promise<void> done;
};

void second(void* argument) {
  auto* moment = static_cast<Moment*>(argument);
  moment->work();
  moment->done.set_value();
}

// No handler runs while this does; what those before it left behind is due within a microsecond. The second
// alarm comes after that, and is due itself when this returns, so that EAL goes through all of them without
// looking at a socket again.
void first(void* argument) {
  if (rte_eal_alarm_set(kLater_us, second, argument) != 0) return second(argument);
  const uint64_t due_ns = now_ns() + 2 * kLater_us * 1000;
  while (now_ns() < due_ns) {
  }
}

}  // namespace

void at_quiet_moment(const std::function<void()>& work) {
  Moment moment{work, {}};
  auto done = moment.done.get_future();
  if (rte_eal_alarm_set(1, first, &moment) != 0) return work();
  done.wait();
}

}  // namespace testbed::load
