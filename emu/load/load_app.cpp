#include "emu/load/load_app.hpp"

#include <unistd.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <filesystem>
#include <future>
#include <thread>
#include <utility>
#include <vector>

#include "core/base/options.hpp"
#include "emu/load/device.hpp"

namespace testbed::load {

using nlohmann::json;

LoadApp::LoadApp(Process& process, const LoadOptions& options)
    : process_(process),
      engine_(
          [&process](std::string_view name, json fields) { process.events().emit(name, std::move(fields)); }),
      worker_(engine_, options.cpu, options.busy_poll),
      service_(engine_, [this](const std::function<void()>& work) { worker_.run(work); }) {
  for (auto& [name, handler] : service_.methods()) process_.rpc().method(name, handler);
  process_.rpc().async_method("frontend.add", [this](const json& params, const RpcServer::Reply& reply) {
    add_frontend(params, reply);
  });
  process_.rpc().async_method("frontend.remove", [this](const json& params, const RpcServer::Reply& reply) {
    remove_frontend(params, reply);
  });
}

LoadApp::~LoadApp() {
  worker_.stop();
}

Result<void> LoadApp::check_new(const FrontendOptions& options) const {
  for (const auto& [name, frontend] : frontends_) {
    if (name == options.name) return fail(Errc::already_exists, "frontend " + name + " exists already");
    if (frontend->options().path == options.path)
      return fail(Errc::already_exists, options.path + " is the socket of frontend " + name);
  }
  const std::string directory = std::filesystem::absolute(options.path).parent_path();
  if (::access(directory.c_str(), options.role == Role::server ? W_OK | X_OK : X_OK) != 0)
    return fail_errno("the socket's directory " + directory, errno);
  return options.role == Role::server ? clear_path(options.path) : Result<void>();
}

void LoadApp::add_frontend(const json& params, const RpcServer::Reply& reply) {
  auto options = read_frontend(params);
  if (!options) return reply(tl::unexpected(options.error()));
  if (auto fits = check_new(*options); !fits) return reply(tl::unexpected(fits.error()));
  const auto frontend = std::make_shared<Frontend>(
      *options, "net_virtio_user" + std::to_string(devices_made_++), worker_,
      [this](const char* name, json fields) { process_.events().emit(name, std::move(fields)); });
  Result<void> added;
  worker_.run([&] { added = engine_.add_end(options->name, *frontend, options->mac); });
  if (!added) return reply(tl::unexpected(added.error()));
  frontends_.emplace(options->name, frontend);
  reply(json::object());
}

void LoadApp::remove_frontend(const json& params, const RpcServer::Reply& reply) {
  Mistakes mistakes;
  Options options(params, "", mistakes);
  const std::string name = options.text("name");
  options.done();
  if (!mistakes.empty()) return reply(fail(std::move(mistakes)));
  const auto found = frontends_.find(name);
  if (found == frontends_.end()) return reply(fail(Errc::not_found, "no frontend " + name));
  auto frontend = std::move(found->second);
  frontends_.erase(found);
  worker_.run([&] { (void)engine_.remove_end(name); });
  // Closing talks to the backend and may take as long as that likes.
  std::thread([this, frontend, reply, guard = boost::asio::make_work_guard(process_.io())] {
    frontend->close();
    boost::asio::post(process_.io(), [frontend, reply] { reply(json::object()); });
  }).detach();
}

bool LoadApp::close(std::chrono::milliseconds patience) {
  std::vector<std::shared_ptr<Frontend>> all;
  for (auto& [name, frontend] : frontends_) {
    worker_.run([&] { (void)engine_.remove_end(name); });
    all.push_back(frontend);
  }
  auto closed = std::make_shared<std::promise<void>>();
  auto waiting = closed->get_future();
  std::thread([all = std::move(all), closed]() mutable {
    for (const auto& frontend : all) frontend->close();
    all.clear();  // from now on this may go: the last reference must not end here
    closed->set_value();
  }).detach();
  if (waiting.wait_for(patience) != std::future_status::ready) return false;
  frontends_.clear();
  return true;
}

}  // namespace testbed::load
