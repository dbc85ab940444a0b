#include "tests/sabotage/catalogue.hpp"

#include <algorithm>

namespace testbed::sabotage {

std::vector<Saboteur> catalogue() {
  std::vector<Saboteur> all;
  for (const auto part : {packet_saboteurs(), brick_saboteurs(), ring_saboteurs(), log_saboteurs(),
                          session_saboteurs(), process_saboteurs()})
    all.insert(all.end(), part.begin(), part.end());
  return all;
}

const Saboteur* find_saboteur(std::string_view what) {
  static const std::vector<Saboteur> all = catalogue();
  const auto found = std::ranges::find(all, what, &Saboteur::what);
  return found == all.end() ? nullptr : &*found;
}

}  // namespace testbed::sabotage
