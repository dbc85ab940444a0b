// Tries inputs that are kept in files, without a fuzzer: how the corpus is part of the unit tests.
//
//   fuzz_NAME FILE_OR_DIRECTORY...
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "tests/fuzz/target.hpp"

namespace {

namespace fs = std::filesystem;

std::vector<fs::path> files_of(const fs::path& place) {
  if (!fs::is_directory(place)) return {place};
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(place))
    if (entry.is_regular_file()) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

bool try_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return false;
  const std::vector<char> octets(std::istreambuf_iterator<char>(file), {});
  std::printf("%s\n", path.c_str());
  std::fflush(stdout);  // the last line names the input that ended the process
  return LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(octets.data()), octets.size()) == 0;
}

}  // namespace

int main(int argc, char** argv) {
  size_t tried = 0;
  for (int i = 1; i < argc; ++i)
    for (const fs::path& path : files_of(argv[i])) {
      if (!try_file(path)) {
        std::fprintf(stderr, "cannot try %s\n", path.c_str());
        return 1;
      }
      ++tried;
    }
  std::printf("%zu inputs\n", tried);
  return tried > 0 ? 0 : 1;  // none is a mistake: a corpus is not empty
}
