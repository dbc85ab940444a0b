#include "vdev/vhost/log_stand_in.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <vector>

#include "vdev/gate/mapping_lookup.hpp"

namespace testbed::vhost {

Result<std::optional<LogStandIn>> LogStandIn::replace(gate::Message& request) {
  if (!request.is(wire::Request::SET_LOG_BASE)) return std::nullopt;
  const auto where = *request.as<wire::Log>();
  if (where.offset == 0) return std::nullopt;
  Fd stand_in(::memfd_create("testbed-log", MFD_CLOEXEC));
  if (!stand_in || ::ftruncate(stand_in.get(), static_cast<off_t>(where.size)) != 0)
    return fail_errno("no memory to stand in for a log", errno);
  Fd passed(::dup(stand_in.get()));
  if (!passed) return fail_errno("cannot duplicate a descriptor", errno);
  Fd log = std::exchange(request.fds.front(), std::move(passed));
  request.replace(wire::Log{where.size, 0});
  return LogStandIn(std::move(log), std::move(stand_in), where);
}

// Whoever sets a bit sets it by one instruction, in the old mapping or in the new one: when mmap has
// returned, the old one has all it will ever have.
Result<void> LogStandIn::resolve() const {
  const auto mapping = gate::find_mapping(gate::describe_fd(stand_in_.get()).id);
  if (!mapping) return fail(Errc::system, "the mapping of the log is not to be found");
  void* place = reinterpret_cast<void*>(mapping->begin);
  if (::mmap(place, mapping->end - mapping->begin, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, log_.get(),
             static_cast<off_t>(where_.offset)) == MAP_FAILED)
    return fail_errno("cannot map the log in its place", errno);
  auto* bits = static_cast<unsigned char*>(place);
  std::vector<unsigned char> chunk(65536);
  uint64_t done = 0;
  for (ssize_t got;
       (got = ::pread(stand_in_.get(), chunk.data(), chunk.size(), static_cast<off_t>(done))) > 0;
       done += static_cast<uint64_t>(got))
    for (size_t i = 0; i < static_cast<size_t>(got); ++i)
      if (chunk[i] != 0) std::atomic_ref(bits[done + i]).fetch_or(chunk[i]);
  return {};
}

}  // namespace testbed::vhost
