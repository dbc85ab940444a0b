#include "tests/sabotage/site.hpp"

#include "vdev/ring/ring_session.hpp"
#include "vdev/vhost/library_link.hpp"

namespace testbed::sabotage {
namespace {

int vid_of(gate::Backend& backend) {
  const auto* link = dynamic_cast<vhost::LibraryLink*>(&backend);
  return link == nullptr ? -1 : link->device().vid;
}

std::vector<ring::Walk>* walks_of(gate::Backend& backend) {
  auto* session = dynamic_cast<ring::RingSession*>(&backend);
  return session == nullptr ? nullptr : &session->walks();
}

}  // namespace

Tap::Tap(std::unique_ptr<gate::Backend> backend, Site& site)
    : BackendDecorator(std::move(backend)), site_(site) {
  site_.session_began();
}

Tap::~Tap() {
  site_.share(nullptr);
}

void Tap::submit(gate::Message request, Answer answer) {
  const auto before = site_.shared();
  auto now = before ? std::make_shared<Shared>(*before) : std::make_shared<Shared>();
  now->vid = vid_of(inner());
  now->walks = walks_of(inner());
  now->take(request);
  site_.share(std::move(now));
  inner().submit(std::move(request), std::move(answer));
}

}  // namespace testbed::sabotage
