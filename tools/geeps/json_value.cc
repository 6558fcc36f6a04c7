// SPDX-License-Identifier: Apache-2.0
#include "tools/geeps/json_value.h"

#include <charconv>

namespace geeps::tool {
namespace {

constexpr int kDepthMax = 32;
constexpr std::string_view kNumberLetters = "+-.0123456789eE";

}  // namespace

// A walk through the text; false at the first thing that is not right.
class JsonValue::Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  bool ReadAll(JsonValue* out) {
    if (!Read(out, 0)) return false;
    SkipBlanks();
    return at_ == text_.size();
  }

 private:
  void SkipBlanks() {
    while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos) ++at_;
  }
  // The next letter behind blanks is this one, and is taken.
  bool Take(char letter) {
    SkipBlanks();
    if (at_ == text_.size() || text_[at_] != letter) return false;
    ++at_;
    return true;
  }
  bool TakeWord(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }

  bool Read(JsonValue* out, int depth) {
    if (depth > kDepthMax) return false;
    if (Take('{')) return ReadItems('}', true, out, depth);
    if (Take('[')) return ReadItems(']', false, out, depth);
    if (Take('"')) {
      out->kind_ = Kind::kText;
      return ReadText(&out->text_);
    }
    if (TakeWord("true") || TakeWord("false") || TakeWord("null")) return true;
    out->kind_ = Kind::kNumber;
    while (at_ < text_.size() && kNumberLetters.find(text_[at_]) != std::string_view::npos) out->text_ += text_[at_++];
    return !out->text_.empty();
  }

  bool ReadItems(char end, bool with_keys, JsonValue* out, int depth) {
    out->kind_ = with_keys ? Kind::kObject : Kind::kArray;
    if (Take(end)) return true;
    do {
      if (with_keys && !(Take('"') && ReadText(&out->keys_.emplace_back()) && Take(':'))) return false;
      if (!Read(&out->items_.emplace_back(), depth + 1)) return false;
    } while (Take(','));
    return Take(end);
  }

  // The rest of a string. Letters beyond ASCII given by number become '?': nothing here needs them.
  bool ReadText(std::string* out) {
    while (at_ < text_.size() && text_[at_] != '"') {
      if (text_[at_] != '\\') {
        *out += text_[at_++];
        continue;
      }
      if (++at_ == text_.size()) return false;
      const char letter = text_[at_++];
      static constexpr std::string_view kEscapes = "\"\\/bfnrt", kMeanings = "\"\\/\b\f\n\r\t";
      const size_t index = kEscapes.find(letter);
      if (index != std::string_view::npos) {
        *out += kMeanings[index];
        continue;
      }
      unsigned code = 0;
      if (letter != 'u' || text_.size() - at_ < 4) return false;
      const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + at_ + 4, code, 16);
      if (error != std::errc() || end != text_.data() + at_ + 4) return false;
      at_ += 4;
      *out += code < 0x80 ? static_cast<char>(code) : '?';
    }
    return Take('"');
  }

  const std::string_view text_;
  size_t at_ = 0;
};

std::optional<JsonValue> JsonValue::Parse(std::string_view text) {
  JsonValue value;
  if (!Reader(text).ReadAll(&value)) return std::nullopt;
  return value;
}

const JsonValue& JsonValue::operator[](std::string_view key) const {
  static const JsonValue kNothing;
  for (size_t i = 0; i < keys_.size(); ++i) {
    if (keys_[i] == key) return items_[i];
  }
  return kNothing;
}

std::optional<std::string> JsonValue::text() const {
  if (kind_ != Kind::kText) return std::nullopt;
  return text_;
}

std::optional<uint64_t> JsonValue::number() const {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), value);
  if (kind_ != Kind::kNumber || error != std::errc() || end != text_.data() + text_.size()) return std::nullopt;
  return value;
}

}  // namespace geeps::tool
