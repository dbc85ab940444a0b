// The server role: accepts one peer at a time.
#pragma once

#include <sys/types.h>

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>

#include "emu/proxy/endpoint.hpp"

namespace testbed::proxy {

class Listener : public Endpoint {
 public:
  Listener(boost::asio::io_context& io, std::string path, OnConnected on_connected);
  ~Listener() override;

  Result<void> open() override;
  void want() override;
  void unwant() override { wanted_ = false; }
  std::string_view state() const override { return wanted_ ? "listening" : "busy"; }

 private:
  void accept();
  void accepted(boost::system::error_code error, Socket socket);

  std::string path_;
  OnConnected on_connected_;
  boost::asio::local::stream_protocol::acceptor acceptor_;
  boost::asio::steady_timer retry_;
  dev_t device_ = 0;  // of the socket file that is ours
  ino_t inode_ = 0;
  bool wanted_ = false;
  bool accepting_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace testbed::proxy
