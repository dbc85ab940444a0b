#include "emu/guest/commands.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <csignal>

#include "core/base/fd.hpp"

namespace testbed::guest {

namespace {

// One end of a pipe, read as it fills.
class Output {
 public:
  explicit Output(boost::asio::io_context& io) : pipe_(io) {}

  void adopt(Fd fd) {
    pipe_.assign(fd.release());
    pipe_.non_blocking(true);
  }
  void read(std::shared_ptr<void> keep) {
    pipe_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                     [this, keep](boost::system::error_code error) {
                       if (!error && drain()) read(keep);
                     });
  }
  // Takes what is there. False at the end.
  bool drain() {
    std::array<char, 65536> buffer;
    while (pipe_.is_open()) {
      const ssize_t size = ::read(pipe_.native_handle(), buffer.data(), buffer.size());
      if (size < 0) return errno == EAGAIN || errno == EINTR;
      if (size == 0) return false;
      text.append(buffer.data(), std::min(static_cast<size_t>(size), Commands::kMaxOutput - text.size()));
    }
    return false;
  }
  void close() {
    boost::system::error_code ignored;
    pipe_.close(ignored);
  }

  std::string text;

 private:
  boost::asio::posix::stream_descriptor pipe_;
};

struct Pipe {
  Fd read, write;
};

Result<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno("pipe", errno);
  return Pipe{Fd(ends[0]), Fd(ends[1])};
}

Result<pid_t> spawn_shell(const std::string& command, int out, int err) {
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&files, out, 1);
  posix_spawn_file_actions_adddup2(&files, err, 2);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setpgroup(&attributes, 0);
  sigset_t all;
  sigfillset(&all);
  posix_spawnattr_setsigdefault(&attributes, &all);  // the agent ignores SIGPIPE; a command should not
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF);
  const char* argv[] = {"sh", "-c", command.c_str(), nullptr};
  const char* env[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "TERM=dumb", nullptr};
  pid_t pid = 0;
  const int error =
      ::posix_spawn(&pid, "/bin/sh", &files, &attributes, const_cast<char**>(argv), const_cast<char**>(env));
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  if (error != 0) return fail_errno("/bin/sh", error);
  return pid;
}

}  // namespace

class Command : public std::enable_shared_from_this<Command> {
 public:
  Command(boost::asio::io_context& io, std::string text, Commands::Done done)
      : text_(std::move(text)), out_(io), err_(io), deadline_(io), done_(std::move(done)) {}

  Result<pid_t> start(std::chrono::milliseconds timeout) {
    auto out = make_pipe();
    auto err = make_pipe();
    if (!out || !err) return tl::unexpected(!out ? out.error() : err.error());
    auto pid = spawn_shell(text_, out->write.get(), err->write.get());
    if (!pid) return pid;
    out_.adopt(std::move(out->read));
    err_.adopt(std::move(err->read));
    out_.read(shared_from_this());
    err_.read(shared_from_this());
    deadline_.expires_after(timeout);
    deadline_.async_wait([self = shared_from_this(), group = *pid, timeout](boost::system::error_code error) {
      if (error) return;
      ::kill(-group, SIGKILL);  // the reaper finds it; the outcome is decided here
      self->finish(fail(Errc::timeout, "exec: `" + self->text_ + "` did not end within " +
                                           std::to_string(timeout.count()) + " ms"));
    });
    return pid;
  }

  void ended(int wait_status) {
    out_.drain();
    err_.drain();
    const int status = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
    finish(Outcome{status, std::move(out_.text), std::move(err_.text)});
  }

 private:
  void finish(Result<Outcome> outcome) {
    if (!done_) return;
    deadline_.cancel();
    out_.close();
    err_.close();
    std::exchange(done_, nullptr)(std::move(outcome));
  }

  std::string text_;
  Output out_, err_;
  boost::asio::steady_timer deadline_;
  Commands::Done done_;
};

Commands::Commands(boost::asio::io_context& io) : io_(io), child_ended_(io, SIGCHLD) {
  reap();
}

Commands::~Commands() = default;

void Commands::run(const std::string& command, std::chrono::milliseconds timeout, Done done) {
  auto job = std::make_shared<Command>(io_, command, done);
  if (auto pid = job->start(timeout))
    running_.emplace(*pid, std::move(job));
  else
    done(tl::unexpected(pid.error()));
}

void Commands::reap() {
  int status = 0;
  for (pid_t pid; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;)
    if (auto found = running_.extract(pid)) found.mapped()->ended(status);
  child_ended_.async_wait([this](boost::system::error_code error, int) {
    if (!error) reap();
  });
}

}  // namespace testbed::guest
