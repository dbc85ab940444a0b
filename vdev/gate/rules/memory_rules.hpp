// SET_MEM_TABLE: every region lies whole in its file, and no two claim the same guest-physical address or the
// same address of the front-end. And what still has to hold of what was set before: started rings and the
// dirty log must fit the new table.
#pragma once

#include <span>

#include "vdev/gate/fd_facts.hpp"
#include "vdev/gate/message.hpp"
#include "vdev/gate/refusal.hpp"
#include "vdev/gate/rules/said.hpp"

namespace testbed::gate {

// The regions of a SET_MEM_TABLE whose size and number of descriptors are right.
std::vector<wire::MemoryRegion> regions_of(const Message& message);

// The number of regions, which the number of descriptors is compared with: before check_descriptors.
Verdict check_region_count(const Message& message);
// After it.
Verdict check_memory(const Message& message, std::span<const FdFacts> fds, const Said& said);

// Is this the table that is in force, region for region and file for file?
bool same_table(const Message& message, std::span<const FdFacts> fds, const Said& said);

// Does [user, user + length) lie in one region?
bool in_one_region(std::span<const wire::MemoryRegion> table, uint64_t user, uint64_t length);

}  // namespace testbed::gate
