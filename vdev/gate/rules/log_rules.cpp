#include "vdev/gate/rules/log_rules.hpp"

#include <algorithm>
#include <string>

namespace testbed::gate {
namespace {

constexpr uint64_t kLogPage = 4096;  // specification, "Migration": VHOST_LOG_PAGE

Refusal bad(const std::string& what) {
  return {Reason::log, "SET_LOG_BASE: " + what};
}

// Octets a log of all memory has.
uint64_t needed(const Said& said) {
  uint64_t last = 0;
  for (const wire::MemoryRegion& region : said.table)
    last = std::max(last, region.guest_address + region.size - 1);
  return said.table.empty() ? 0 : last / kLogPage / 8 + 1;
}

}  // namespace

Verdict check_log_coverage(const Said& said) {
  if (!said.log_size || !said.has(wire::Feature::LOG_ALL) || *said.log_size >= needed(said)) return kPass;
  return Refusal{Reason::log, "a log of " + std::to_string(*said.log_size) + " bytes for memory that needs " +
                                  std::to_string(needed(said))};
}

Verdict check_log(const Message& message, const FdFacts& file, const Said& said) {
  const auto log = *message.as<wire::Log>();
  if (log.size == 0) return bad("it is empty");
  if (log.offset + log.size < log.offset) return bad("its offset and size wrap around");
  if (log.offset % file.page_size != 0)
    return bad("its offset, " + std::to_string(log.offset) + ", is not one that can be mapped");
  if (log.offset + log.size > file.size)
    return bad("it ends at " + std::to_string(log.offset + log.size) + " in a file of " +
               std::to_string(file.size) + " bytes");
  Said after = said;
  after.log_size = log.size;
  return check_log_coverage(after);
}

}  // namespace testbed::gate
