#include "vdev/gate/port_memory.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <array>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <new>

#include "core/base/assert.hpp"

namespace testbed::gate {
namespace {

constexpr uint64_t kMagic = 0x746573746265642e;  // "testbed."
constexpr uint32_t kVersion = 1;

// FNV-1a: against torn and foreign contents, not against malice.
uint64_t checksum(const uint64_t* words, size_t count) {
  uint64_t hash = 0xcbf29ce484222325;
  for (size_t i = 0; i < count; ++i) hash = (hash ^ words[i]) * 0x100000001b3;
  return hash;
}

}  // namespace

struct PortMemory::Copy {
  uint64_t generation, offered, negotiated, open, check;

  uint64_t sum() const { return checksum(&generation, 4); }
  bool valid() const { return generation != 0 && check == sum(); }
};

struct alignas(64) PortMemory::File {
  uint64_t magic;
  uint32_t version;
  uint32_t rings;
  std::array<Copy, 2> copies;
};

size_t PortMemory::bytes(uint16_t rings) {
  return sizeof(File) + rings * sizeof(RingRecord);
}

PortMemory::File& PortMemory::contents() const {
  return *static_cast<File*>(base_);
}

Result<PortMemory> PortMemory::open(const std::string& path, uint16_t rings) {
  Fd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return fail_errno("cannot open " + path, errno);
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0)
    return fail(Errc::busy, path + " is in use by another process; give each switch a directory of its own");
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return fail_errno("cannot look at " + path, errno);
  const size_t size = bytes(rings);
  const bool known = static_cast<size_t>(info.st_size) == size;
  if (!known && ::ftruncate(file.get(), 0) != 0) return fail_errno("cannot resize " + path, errno);
  if (const int error = ::posix_fallocate(file.get(), 0, static_cast<off_t>(size)); error != 0)
    return fail_errno("cannot reserve " + std::to_string(size) + " bytes for " + path, error);
  void* base = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  if (base == MAP_FAILED) return fail_errno("cannot map " + path, errno);
  PortMemory memory(std::move(file), base, rings);
  const File& contents = memory.contents();
  if (contents.magic != kMagic || contents.version != kVersion || contents.rings != rings)
    memory.initialise();
  return memory;
}

PortMemory PortMemory::volatile_memory(uint16_t rings) {
  void* base = ::mmap(nullptr, bytes(rings), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (base == MAP_FAILED) throw std::bad_alloc();
  PortMemory memory(Fd(), base, rings);
  memory.initialise();
  return memory;
}

void PortMemory::initialise() {
  std::memset(base_, 0, bytes(rings_));
  contents().magic = kMagic;
  contents().version = kVersion;
  contents().rings = rings_;
}

PortMemory::PortMemory(PortMemory&& other) noexcept
    : file_(std::move(other.file_)), base_(std::exchange(other.base_, nullptr)), rings_(other.rings_) {
}

PortMemory::~PortMemory() {
  if (base_ != nullptr) ::munmap(base_, bytes(rings_));
}

PortMemory::Features PortMemory::features() const {
  const Copy* best = nullptr;
  for (const Copy& copy : contents().copies)
    if (copy.valid() && (best == nullptr || copy.generation > best->generation)) best = &copy;
  if (best == nullptr) return {};
  return {best->offered, best->negotiated, best->open != 0};
}

void PortMemory::remember(const Features& features) {
  auto& [first, second] = contents().copies;
  const uint64_t newest =
      std::max(first.valid() ? first.generation : 0, second.valid() ? second.generation : 0);
  Copy& older = first.valid() && first.generation == newest ? second : first;
  Copy next{newest + 1, features.offered, features.negotiated, features.open ? 1u : 0u, 0};
  next.check = next.sum();
  older = next;
}

RingRecord& PortMemory::ring(uint16_t index) const {
  TB_ASSERT(index < rings_);
  return *reinterpret_cast<RingRecord*>(static_cast<std::byte*>(base_) + sizeof(File) +
                                        index * sizeof(RingRecord));
}

std::string port_memory_path(const std::string& directory, const std::string& port) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string name;
  for (const unsigned char c : port) {
    if (std::isalnum(c) || c == '-' || c == '_' || (c == '.' && !name.empty())) {
      name += static_cast<char>(c);
    } else {
      name += {'%', kHex[c >> 4], kHex[c & 15]};
    }
  }
  return directory + "/" + name + ".memory";
}

}  // namespace testbed::gate
