// The one error type of the project. Peers, guests, users and the operating system misbehave; what they do
// comes back as a Result. Our own bugs are asserts (assert.hpp); packets that cannot be forwarded are
// counters (graph/drop.hpp).
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

namespace testbed {

// Closed: every place that handles errors can list them all.
enum class Errc {
  invalid_argument,  // the caller (a user, an RPC client) asked for something that cannot be
  not_found,         // a named port, brick, flow... does not exist
  already_exists,    // a name is taken
  busy,              // somebody else holds it: a live process serves the socket, a session is in the way
  refused,           // the peer may not do that
  protocol,          // the peer broke a rule of its protocol; its session ends
  disconnected,      // the peer went away
  timeout,           // a deadline passed
  system,            // the operating system said no; the message carries errno's text
  unsupported,       // not in this build or on this machine
  exhausted,         // memory, descriptors, disk
};

std::string_view to_string(Errc code);

// One mistake in a document: where, and what is wrong with it.
struct Mistake {
  std::string path;  // "ports.p1.path", "edges[2]"
  std::string message;
  bool operator==(const Mistake&) const = default;
};
using Mistakes = std::vector<Mistake>;

struct Error {
  Errc code;
  std::string message;  // one line: what, where, how to mend it
  Mistakes mistakes =
      {};  // every mistake, when a document has several; an RPC client finds them in data.errors
};

template <typename T>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> fail(Errc code, std::string message) {
  return tl::unexpected<Error>(Error{code, std::move(message)});
}

// invalid_argument; the message is the first mistake and how many more there are. `mistakes` is not empty.
tl::unexpected<Error> fail(Mistakes mistakes);

// An Error from errno: "what: strerror(errno_value)".
tl::unexpected<Error> fail_errno(std::string_view what, int errno_value);

}  // namespace testbed
