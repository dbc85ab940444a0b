#include "vdev/gate/mapping_lookup.hpp"

#include <fcntl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <cstddef>

namespace testbed::gate {
namespace {

// A number and the character behind it.
class Line {
 public:
  explicit Line(const char* at) : at_(at) {}
  uint64_t number(unsigned base) {
    uint64_t value = 0;
    for (;; ++at_) {
      const unsigned digit =
          *at_ <= '9' ? static_cast<unsigned>(*at_ - '0') : static_cast<unsigned>(*at_ - 'a' + 10);
      if (digit >= base) break;
      value = value * base + digit;
    }
    ++at_;
    return value;
  }
  void skip_word() {
    while (*at_ != ' ' && *at_ != '\0') ++at_;
    if (*at_ == ' ') ++at_;
  }

 private:
  const char* at_;
};

// "7f12a000-7f12b000 rw-s 00001000 00:01 4711   /memfd:guest (deleted)"
Mapping parse(const char* text) {
  Line line(text);
  Mapping mapping{};
  mapping.begin = line.number(16);
  mapping.end = line.number(16);
  line.skip_word();
  mapping.offset = line.number(16);
  const auto major = static_cast<unsigned>(line.number(16));
  const auto minor = static_cast<unsigned>(line.number(16));
  mapping.file = {makedev(major, minor), line.number(10)};
  return mapping;
}

// The numbers end within this; what follows of a line is the file's name.
constexpr size_t kKept = 128;

template <typename Wanted>
std::optional<Mapping> search(Wanted wanted) {
  const int maps = ::open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
  if (maps < 0) return std::nullopt;
  std::array<char, 4096> chunk;
  std::array<char, kKept> line;
  size_t length = 0;
  std::optional<Mapping> found;
  for (ssize_t got; !found && (got = ::read(maps, chunk.data(), chunk.size())) > 0;)
    for (ssize_t i = 0; i < got && !found; ++i) {
      const char c = chunk[static_cast<size_t>(i)];
      if (c != '\n') {
        if (length < kKept - 1) line[length++] = c;
        continue;
      }
      line[length] = '\0';
      length = 0;
      if (const Mapping mapping = parse(line.data()); wanted(mapping)) found = mapping;
    }
  ::close(maps);
  return found;
}

}  // namespace

std::optional<Mapping> find_mapping(uintptr_t address) {
  return search([address](const Mapping& m) { return m.begin <= address && address < m.end; });
}

std::optional<Mapping> find_mapping(FileId file) {
  return search([file](const Mapping& m) { return m.file == file; });
}

}  // namespace testbed::gate
