// All saboteurs by name. Each works at one of four places; the rest of the switch is as it is released.
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "core/base/process.hpp"
#include "core/control/switch.hpp"
#include "tests/sabotage/port_decorator.hpp"

namespace testbed::sabotage {

struct Saboteur {
  std::string_view what;
  std::string_view does;  // what is wrong then, for `--sabotage list`
  std::unique_ptr<Port> (*port)(std::unique_ptr<Port>, Turn&, Site&) = nullptr;
  std::unique_ptr<gate::Backend> (*backend)(std::unique_ptr<gate::Backend>, Turn&, Site&) = nullptr;
  std::unique_ptr<Brick> (*brick)(std::unique_ptr<Brick>, Turn&) = nullptr;
  void (*process)(Process&, Switch&, Turn&) = nullptr;
};

// What the `port`, `backend` and `brick` of an entry usually are.
template <typename T>
std::unique_ptr<Port> port_of(std::unique_ptr<Port> inner, Turn& turn, Site& site) {
  return std::make_unique<T>(std::move(inner), turn, site);
}
template <typename T>
std::unique_ptr<gate::Backend> backend_of(std::unique_ptr<gate::Backend> inner, Turn& turn, Site& site) {
  return std::make_unique<T>(std::move(inner), turn, site);
}
template <typename T>
std::unique_ptr<Brick> brick_of(std::unique_ptr<Brick> inner, Turn& turn) {
  return std::make_unique<T>(std::move(inner), turn);
}

std::span<const Saboteur> packet_saboteurs();
std::span<const Saboteur> brick_saboteurs();
std::span<const Saboteur> ring_saboteurs();
std::span<const Saboteur> log_saboteurs();
std::span<const Saboteur> session_saboteurs();
std::span<const Saboteur> process_saboteurs();

std::vector<Saboteur> catalogue();
// nullptr: there is none of that name.
const Saboteur* find_saboteur(std::string_view what);

}  // namespace testbed::sabotage
