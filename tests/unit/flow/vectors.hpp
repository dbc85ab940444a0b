// Golden bytes in tests/vectors.
#pragma once

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

inline nlohmann::json read_vectors(const std::string& file) {
  std::ifstream in(std::string(TEST_VECTORS) + "/" + file);
  return nlohmann::json::parse(in);
}
