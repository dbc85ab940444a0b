#include "core/control/leave_out.hpp"

#include <algorithm>

namespace testbed {

using nlohmann::json;

namespace {

// The node an end in the document names.
std::string node_of(const json& end) {
  const auto& text = end.get_ref<const std::string&>();
  return text.substr(0, text.find('.'));
}

template <typename Wanted>
void erase_edges(json& document, Wanted wanted) {
  const auto edges = document.find("edges");
  if (edges == document.end()) return;
  json kept = json::array();
  for (const auto& edge : *edges)
    if (!wanted(edge)) kept.push_back(edge);
  *edges = std::move(kept);
}

}  // namespace

void leave_out(Config& config, const EdgeConfig& edge) {
  std::erase(config.edges, edge);
  for (auto& [name, port] : config.document["ports"].items()) {
    const auto to = port.find("to");
    const bool here = to != port.end() && (edge.a.text() == name ? edge.b.text() : edge.a.text()) == *to;
    if (here && edge.joins(name)) port.erase(to);
  }
  erase_edges(config.document, [&](const json& written) {
    return (written[0] == edge.a.text() && written[1] == edge.b.text()) ||
           (written[0] == edge.b.text() && written[1] == edge.a.text());
  });
}

void leave_out(Config& config, const std::string& name) {
  for (const char* kind : {"ports", "bricks"})
    if (const auto nodes = config.document.find(kind); nodes != config.document.end()) nodes->erase(name);
  config.ports.erase(name);
  config.bricks.erase(name);
  std::erase_if(config.edges, [&](const EdgeConfig& edge) { return edge.joins(name); });
  if (const auto ports = config.document.find("ports"); ports != config.document.end())
    for (auto& [other, port] : ports->items())
      if (const auto to = port.find("to"); to != port.end() && node_of(*to) == name) port.erase(to);
  erase_edges(config.document,
              [&](const json& edge) { return node_of(edge[0]) == name || node_of(edge[1]) == name; });
}

}  // namespace testbed
