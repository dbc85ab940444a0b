#include "tests/sabotage/order.hpp"

#include "core/base/options.hpp"

namespace testbed::sabotage {

Result<std::vector<Order>> read_orders(const nlohmann::json& list) {
  std::vector<Order> orders;
  Mistakes mistakes;
  if (!list.is_array()) return fail(Errc::invalid_argument, "sabotage: must be a list");
  for (size_t i = 0; i < list.size(); ++i) {
    Options options(list[i], "sabotage[" + std::to_string(i) + "]", mistakes);
    Order order;
    order.what = options.text("what");
    order.port = options.text("port", "");
    order.every = options.number("every", 1, 1, UINT32_MAX);
    order.skip = options.number("skip", 0, 0, UINT32_MAX);
    order.from_session = options.number("from_session", 0, 0, UINT32_MAX);
    options.done();
    orders.push_back(std::move(order));
  }
  if (!mistakes.empty()) return fail(std::move(mistakes));
  return orders;
}

}  // namespace testbed::sabotage
