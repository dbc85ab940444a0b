// testbed-switch-sabotaged: testbed-switch with saboteurs (docs/checkers.md, "Saboteurs"). For tests of the
// checkers only.
//
//     testbed-switch-sabotaged --sabotage '[{"what": "lose_used", "every": 100, "port": "p1"}]' ...
//     testbed-switch-sabotaged --sabotage list
#include <iostream>
#include <string_view>
#include <vector>

#include "core/base/json_document.hpp"
#include "tests/sabotage/sabotage.hpp"

namespace {

using namespace testbed;

constexpr int kUsage = 2;

int list() {
  nlohmann::json all = nlohmann::json::object();
  for (const auto& saboteur : sabotage::catalogue()) all[std::string(saboteur.what)] = saboteur.does;
  std::cout << all.dump(1) << '\n';
  return 0;
}

int complain(const Error& error) {
  std::cerr << "testbed-switch-sabotaged: " << error.message << '\n';
  return kUsage;
}

Result<std::vector<sabotage::Order>> orders_of(const std::string& text) {
  const auto document = parse_json(text);
  if (!document) return tl::unexpected(document.error());
  auto orders = sabotage::read_orders(*document);
  if (!orders) return orders;
  for (const auto& order : *orders)
    if (sabotage::find_saboteur(order.what) == nullptr)
      return fail(Errc::not_found, "no saboteur '" + order.what + "'; --sabotage list names them");
  return orders;
}

}  // namespace

int main(int argc, char** argv) {
  std::string text = "[]";
  std::vector<char*> rest = {argv[0]};
  for (int i = 1; i < argc; ++i) {
    if (std::string_view(argv[i]) == "--sabotage" && i + 1 < argc)
      text = argv[++i];
    else
      rest.push_back(argv[i]);
  }
  if (text == "list") return list();
  auto orders = orders_of(text);
  if (!orders) return complain(orders.error());
  static sabotage::Sabotage sabotage(std::move(*orders));
  const auto count = static_cast<int>(rest.size());
  rest.push_back(nullptr);
  return run_program(count, rest.data(), sabotage.parts());
}
