// Pages the driver itself has written, while somebody wants to know: a guest's CPU dirties memory as its
// devices do, and a migration has to carry both. One bit a page of the memory's file.
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>
#include <vector>

namespace testbed::driver {

class PageMarks {
 public:
  explicit PageMarks(uint64_t pages) : words_((pages + 63) / 64) {}

  // After the write: whoever takes the mark then copies what was written. Any thread.
  void mark(uint64_t first, uint64_t last) {
    for (uint64_t page = first; page <= last; ++page)
      std::atomic_ref(words_[page / 64]).fetch_or(uint64_t{1} << (page % 64));
  }

  // Those marked since the last take(), ascending.
  std::vector<uint64_t> take() {
    std::vector<uint64_t> pages;
    for (size_t i = 0; i < words_.size(); ++i)
      for (uint64_t word = std::atomic_ref(words_[i]).exchange(0); word; word &= word - 1)
        pages.push_back(64 * i + static_cast<uint64_t>(std::countr_zero(word)));
    return pages;
  }

 private:
  std::vector<uint64_t> words_;
};

}  // namespace testbed::driver
