#include "core/base/options.hpp"

#include <algorithm>
#include <utility>

namespace testbed {

using nlohmann::json;

Options::Options(const json& object, std::string path, Mistakes& mistakes)
    : object_(object), path_(std::move(path)), mistakes_(mistakes) {
  if (!object_.is_object())
    mistakes_.push_back({path_, std::string("must be an object, not ") + object_.type_name()});
}

std::string Options::path_of(const std::string& key) const {
  return path_.empty() ? key : path_ + "." + key;
}

const json* Options::find(const std::string& key) const {
  if (!object_.is_object()) return nullptr;
  const auto found = object_.find(key);
  return found == object_.end() ? nullptr : &*found;
}

const json* Options::ask(const std::string& key) {
  asked_.insert(key);
  return find(key);
}

void Options::mistake(const std::string& key, std::string message) {
  mistakes_.push_back({path_of(key), std::move(message)});
}

std::string Options::text(const std::string& key) {
  if (!ask(key)) {
    if (object_.is_object()) mistake(key, "is missing");
    return {};
  }
  std::string value = text(key, "");
  if (value.empty() && find(key)->is_string()) mistake(key, "must not be empty");
  return value;
}

std::string Options::text(const std::string& key, std::string fallback) {
  const json* value = ask(key);
  if (!value) return fallback;
  if (value->is_string()) return value->get<std::string>();
  mistake(key, std::string("must be a string, not ") + value->type_name());
  return fallback;
}

std::string Options::choice(const std::string& key, std::initializer_list<std::string_view> allowed,
                            std::string fallback) {
  const json* value = ask(key);
  if (!value) return fallback;
  if (value->is_string() && std::ranges::find(allowed, value->get<std::string>()) != allowed.end())
    return value->get<std::string>();
  std::string all;
  for (const auto one : allowed) all += (all.empty() ? "" : ", ") + std::string(one);
  mistake(key, "must be one of " + all + ", not " + value->dump());
  return fallback;
}

uint64_t Options::number(const std::string& key, uint64_t fallback, uint64_t min, uint64_t max) {
  const json* value = ask(key);
  if (!value) return fallback;
  if (value->is_number_integer() && *value >= 0) {
    const auto number = value->get<uint64_t>();
    if (number >= min && number <= max) return number;
  }
  mistake(key, "must be an integer from " + std::to_string(min) + " to " + std::to_string(max) + ", not " +
                   value->dump());
  return fallback;
}

bool Options::flag(const std::string& key, bool fallback) {
  const json* value = ask(key);
  if (!value) return fallback;
  if (value->is_boolean()) return value->get<bool>();
  mistake(key, "must be true or false, not " + value->dump());
  return fallback;
}

const json& Options::raw(const std::string& key) {
  static const json kNull;
  const json* value = ask(key);
  return value ? *value : kNull;
}

void Options::done() {
  if (!object_.is_object()) return;
  for (const auto& item : object_.items()) {
    if (asked_.contains(item.key())) continue;
    std::string known;
    for (const auto& key : asked_) known += (known.empty() ? "" : ", ") + key;
    mistake(item.key(), "is not an option here; there are: " + known);
  }
}

}  // namespace testbed
