// SPDX-License-Identifier: Apache-2.0
// JsonValue: a JSON text, read. Any text is answered: by its value or by nothing. Thread contract: as any value.
#ifndef GEEPS_TOOLS_GEEPS_JSON_VALUE_H_
#define GEEPS_TOOLS_GEEPS_JSON_VALUE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace geeps::tool {

class JsonValue {
 public:
  // nullopt: it is no JSON, or nested deeper than 32 levels.
  static std::optional<JsonValue> Parse(std::string_view text);

  // The member of an object; an empty value where there is none, or this is no object.
  const JsonValue& operator[](std::string_view key) const;
  // Of an array; else empty.
  const std::vector<JsonValue>& items() const { return items_; }
  // nullopt: it is no string.
  std::optional<std::string> text() const;
  // nullopt: it is no whole number from 0 to 2^64 - 1.
  std::optional<uint64_t> number() const;

 private:
  class Reader;
  enum class Kind : uint8_t { kOther, kNumber, kText, kArray, kObject };

  Kind kind_ = Kind::kOther;
  std::string text_;  // of a string; of a number as it is written
  std::vector<JsonValue> items_;
  std::vector<std::string> keys_;  // of an object, by item
};

}  // namespace geeps::tool

#endif  // GEEPS_TOOLS_GEEPS_JSON_VALUE_H_
