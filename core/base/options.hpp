// Reads the options of one JSON object and collects every mistake by its path, so that a user sees them all
// at once.
//
//     Options options(document, "ports.p1", mistakes);
//     config.path = options.text("path");
//     config.queues = options.number("queues", 1, 1, 8);
//     options.done();  // whatever was not asked for is an unknown key
//
// After a mistake the fallback (or an empty value) comes back; whoever builds something from it looks at
// `mistakes` first.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>

#include "core/base/result.hpp"

namespace testbed {

class Options {
 public:
  // `object` and `mistakes` outlive this. `path` is where the object stands in the whole document ("" for the
  // root).
  Options(const nlohmann::json& object, std::string path, Mistakes& mistakes);

  bool has(const std::string& key) const { return find(key) != nullptr; }
  // Must be there and not empty.
  std::string text(const std::string& key);
  std::string text(const std::string& key, std::string fallback);
  // One of `allowed`.
  std::string choice(const std::string& key, std::initializer_list<std::string_view> allowed,
                     std::string fallback);
  // min <= value <= max, an integer.
  uint64_t number(const std::string& key, uint64_t fallback, uint64_t min, uint64_t max);
  bool flag(const std::string& key, bool fallback);
  // Any value; null when it is absent. It counts as asked for.
  const nlohmann::json& raw(const std::string& key);

  void mistake(const std::string& key, std::string message);
  // Reports the keys nobody asked for, with those that exist.
  void done();

  std::string path_of(const std::string& key) const;

 private:
  const nlohmann::json* find(const std::string& key) const;
  const nlohmann::json* ask(const std::string& key);

  const nlohmann::json& object_;
  std::string path_;
  Mistakes& mistakes_;
  std::set<std::string> asked_;
};

}  // namespace testbed
