#include "core/base/result.hpp"

#include <system_error>

namespace testbed {

std::string_view to_string(Errc code) {
  switch (code) {
    case Errc::invalid_argument:
      return "invalid_argument";
    case Errc::not_found:
      return "not_found";
    case Errc::already_exists:
      return "already_exists";
    case Errc::busy:
      return "busy";
    case Errc::refused:
      return "refused";
    case Errc::protocol:
      return "protocol";
    case Errc::disconnected:
      return "disconnected";
    case Errc::timeout:
      return "timeout";
    case Errc::system:
      return "system";
    case Errc::unsupported:
      return "unsupported";
    case Errc::exhausted:
      return "exhausted";
  }
  return "unknown";
}

tl::unexpected<Error> fail(Mistakes mistakes) {
  const auto& [path, what] = mistakes.front();
  std::string message = path.empty() ? what : path + ": " + what;
  if (mistakes.size() > 1) message += " (and " + std::to_string(mistakes.size() - 1) + " more)";
  return tl::unexpected<Error>(Error{Errc::invalid_argument, std::move(message), std::move(mistakes)});
}

tl::unexpected<Error> fail_errno(std::string_view what, int errno_value) {
  return fail(Errc::system, std::string(what) + ": " + std::generic_category().message(errno_value));
}

}  // namespace testbed
