// testbed-limits: prints what this machine allows two CPUs, as one JSON document.
#include <CLI/CLI.hpp>
#include <exception>
#include <iostream>
#include <nlohmann/json.hpp>
#include <vector>

#include "emu/bench/limits.hpp"

namespace {

using namespace testbed::bench;
using std::chrono::milliseconds;

constexpr const char* kAbout =
    "testbed-limits: what a cache line and a frame cost that come from another CPU, in TSC cycles.\n"
    "Prints {\"tsc_hz\", \"ping_pong\", \"frames\": {OCTETS: {\"local\", \"fetch\", \"claim\"}}}: half a "
    "round trip of one\n"
    "line, and a frame's copy within one CPU, out of lines the other has written, and into such lines.";

nlohmann::json measure(Cpus cpus, const std::vector<uint32_t>& sizes, milliseconds budget) {
  nlohmann::json result = {{"ping_pong", ping_pong_cycles(cpus, budget)}};
  if (sizes.empty()) return result;
  result["tsc_hz"] = tsc_hz(budget);
  for (const uint32_t octets : sizes) {
    const Copies copies = copy_cycles(cpus, octets, 3 * budget);
    result["frames"][std::to_string(octets)] = {
        {"local", copies.local}, {"fetch", copies.fetch}, {"claim", copies.claim}};
  }
  return result;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(kAbout);
  Cpus cpus;
  std::vector<uint32_t> sizes;
  unsigned budget_ms = 30;
  app.add_option("--here", cpus.here, "the CPU that pays (0)");
  app.add_option("--there", cpus.there, "the CPU that has the memory in its cache (1)");
  app.add_option("--sizes", sizes, "octets of frames; only the ping-pong when absent")
      ->delimiter(',')
      ->check(CLI::Range(1, 65536));
  app.add_option("--budget-ms", budget_ms, "for each figure (30)")->check(CLI::Range(1, 10000));
  CLI11_PARSE(app, argc, argv);
  try {
    std::cout << measure(cpus, sizes, milliseconds(budget_ms)).dump() << '\n';
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "testbed-limits: " << error.what() << '\n';
    return 1;
  }
}
