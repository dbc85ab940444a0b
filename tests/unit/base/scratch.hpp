// A directory of the test's own, removed with all it holds.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <string>

struct Scratch {
  Scratch() {
    char name[] = "/tmp/tb-test-XXXXXX";
    path = ::mkdtemp(name);
  }
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  std::string file(const std::string& name) const { return path + "/" + name; }

  std::string path;
};
