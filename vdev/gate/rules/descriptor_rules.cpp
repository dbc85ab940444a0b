#include "vdev/gate/rules/descriptor_rules.hpp"

#include <string>

#include "vdev/wire/vhost_user_names.hpp"

namespace testbed::gate {
namespace {

using Fds = RequestShape::Fds;
using Kind = FdFacts::Kind;

size_t expected(Fds fds, const Message& message) {
  switch (fds) {
    case Fds::none:
      return 0;
    case Fds::notifier:
      return (*message.as<uint64_t>() & wire::kVringNoFd) != 0 ? 0 : 1;
    case Fds::memory:
      return *message.as<uint32_t>();
    case Fds::file:
    case Fds::socket:
    case Fds::any:
      return 1;
  }
  return 0;
}

bool fits(Fds fds, const FdFacts& facts) {
  switch (fds) {
    case Fds::none:
      return false;
    case Fds::notifier:
      return facts.kind == Kind::eventfd;
    case Fds::memory:
    case Fds::file:
      return facts.kind == Kind::file && facts.writable;
    case Fds::socket:
      return facts.kind == Kind::socket;
    case Fds::any:
      return true;
  }
  return false;
}

std::string_view wanted(Fds fds) {
  return fds == Fds::notifier ? "an eventfd"
         : fds == Fds::socket ? "a socket"
                              : "a file, open to read and write";
}

}  // namespace

Verdict check_descriptors(const Message& message, std::span<const FdFacts> fds) {
  const Fds form = shape_of(message.header.request)->fds;
  const std::string name(wire::request_name(message.header.request));
  if (const size_t count = expected(form, message); count != fds.size())
    return Refusal{Reason::descriptors, name + " with " + std::to_string(fds.size()) +
                                            " descriptors; it takes " + std::to_string(count)};
  for (size_t i = 0; i < fds.size(); ++i)
    if (!fits(form, fds[i]))
      return Refusal{Reason::descriptors, name + ": descriptor " + std::to_string(i) + " is " +
                                              std::string(to_string(fds[i].kind)) +
                                              (fds[i].kind == Kind::file ? " that may not be written" : "") +
                                              "; it takes " + std::string(wanted(form))};
  return kPass;
}

}  // namespace testbed::gate
