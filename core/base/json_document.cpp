#include "core/base/json_document.hpp"

#include <algorithm>

namespace testbed {
namespace {

constexpr int kMaxNesting = 64;

bool nested_too_deep(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kMaxNesting) return true;
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return false;
}

// "line 3, column 7" of the octet at `position`, counted from 1.
std::string place(std::string_view text, size_t position) {
  const std::string_view before = text.substr(0, position > 0 ? position - 1 : 0);
  const auto line = std::ranges::count(before, '\n') + 1;
  const size_t newline = before.rfind('\n');
  const size_t column = before.size() - (newline == std::string_view::npos ? 0 : newline + 1) + 1;
  return "line " + std::to_string(line) + ", column " + std::to_string(column);
}

}  // namespace

Result<nlohmann::json> parse_json(std::string_view text) {
  if (nested_too_deep(text))
    return fail(Errc::invalid_argument, "nested deeper than " + std::to_string(kMaxNesting) + " levels");
  try {
    return nlohmann::json::parse(text);
  } catch (const nlohmann::json::parse_error& error) {
    return fail(Errc::invalid_argument, "not a JSON document (" + place(text, error.byte) + ")");
  }
}

}  // namespace testbed
