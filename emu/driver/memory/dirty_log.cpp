#include "emu/driver/memory/dirty_log.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cerrno>

namespace testbed::driver {
namespace {

template <typename WordAt>
std::vector<uint64_t> pages_in(uint64_t words, const WordAt& word_at) {
  std::vector<uint64_t> pages;
  for (uint64_t i = 0; i < words; ++i)
    for (uint64_t word = word_at(i); word; word &= word - 1)
      pages.push_back(64 * i + static_cast<uint64_t>(std::countr_zero(word)));
  return pages;
}

}  // namespace

Result<DirtyLog> DirtyLog::create(uint64_t top, uint64_t offset, uint64_t least) {
  if (offset % sizeof(uint64_t) != 0)
    return fail(Errc::invalid_argument, "a log's offset is a multiple of 8");
  const uint64_t exact = (top / kPage + 63) / 64 * sizeof(uint64_t);
  const uint64_t size = std::max(exact, (least + 7) / 8 * 8);
  Fd fd(::memfd_create("dirty-log", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) return fail_errno("memfd_create", errno);
  const uint64_t whole = (offset + size + kGuard + kPage - 1) / kPage * kPage;
  if (::ftruncate(fd.get(), static_cast<off_t>(whole)) != 0) return fail_errno("cannot size the log", errno);
  void* base = ::mmap(nullptr, whole, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (base == MAP_FAILED) return fail_errno("cannot map the log", errno);
  return DirtyLog(std::move(fd), Mapping(base, whole), size, offset);
}

std::vector<uint64_t> DirtyLog::take() {
  return pages_in(size_ / 8, [&](uint64_t i) {
    std::atomic_ref word(words()[i]);
    return word.load(std::memory_order_relaxed) ? word.exchange(0) : 0;
  });
}

std::vector<uint64_t> DirtyLog::peek() const {
  return pages_in(size_ / 8, [&](uint64_t i) { return std::atomic_ref(words()[i]).load(); });
}

bool DirtyLog::strayed() const {
  const auto dirty = [](uint8_t octet) { return octet != 0; };
  return std::any_of(map_.base(), map_.base() + offset_, dirty) ||
         std::any_of(map_.base() + offset_ + size_, map_.base() + map_.size(), dirty);
}

}  // namespace testbed::driver
