// SPDX-License-Identifier: Apache-2.0
#include "runtime/session/hostlist.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "runtime/base/status.h"

namespace geeps::session {
namespace {

constexpr size_t kHostsMax = 65536;
constexpr size_t kNameMax = 253;  // RFC 1035. With kHostsMax it bounds what a list can cost

using Names = std::vector<std::string>;

bool IsNumber(absl::string_view text) {
  return !text.empty() && text.size() <= 18 &&
         std::all_of(text.begin(), text.end(), [](char c) { return absl::ascii_isdigit(c); });
}

// Appends the numbers of "003-005" or "7", as texts.
absl::Status ExpandRange(absl::string_view range, Names* numbers) {
  const size_t dash = range.find('-');
  const absl::string_view low = range.substr(0, dash);
  const absl::string_view high = dash == absl::string_view::npos ? low : range.substr(dash + 1);
  uint64_t first = 0;
  uint64_t last = 0;
  if (!IsNumber(low) || !IsNumber(high) || !absl::SimpleAtoi(low, &first) || !absl::SimpleAtoi(high, &last) ||
      first > last) {
    return Invalid("'", range, "' between brackets is neither a number nor a range of numbers");
  }
  if (last - first >= kHostsMax) return Invalid("it has more than ", kHostsMax, " hosts");
  for (uint64_t number = first; number <= last; ++number) {
    const std::string digits = absl::StrCat(number);
    numbers->push_back(absl::StrCat(std::string(low.size() - std::min(low.size(), digits.size()), '0'), digits));
  }
  return absl::OkStatus();
}

// Appends each of `endings` to each of `names`, the last part changing fastest.
absl::Status Multiply(const Names& endings, Names* names) {
  if (endings.size() > kHostsMax / std::max<size_t>(names->size(), 1))
    return Invalid("it has more than ", kHostsMax, " hosts");
  Names products;
  for (const std::string& name : *names) {
    for (const std::string& ending : endings) {
      if (name.size() + ending.size() > kNameMax) return Invalid("it has a name of more than ", kNameMax, " bytes");
      products.push_back(absl::StrCat(name, ending));
    }
  }
  *names = std::move(products);
  return absl::OkStatus();
}

// One element of the list: text and brackets.
absl::Status ExpandElement(absl::string_view element, Names* hosts) {
  Names names = {""};
  while (!element.empty()) {
    const size_t open = std::min(element.find('['), element.size());
    const absl::string_view plain = element.substr(0, open);
    if (plain.find_first_of("] \t") != absl::string_view::npos) return Invalid("'", plain, "' is no part of a name");
    GEEPS_RETURN_IF_ERROR(Multiply({std::string(plain)}, &names));
    element.remove_prefix(open);
    if (element.empty()) break;
    const size_t close = element.find(']');
    if (close == absl::string_view::npos) return Invalid("a bracket is not closed");
    Names numbers;
    for (const absl::string_view range : absl::StrSplit(element.substr(1, close - 1), ',')) {
      GEEPS_RETURN_IF_ERROR(ExpandRange(range, &numbers));
      if (numbers.size() > kHostsMax) return Invalid("it has more than ", kHostsMax, " hosts");
    }
    GEEPS_RETURN_IF_ERROR(Multiply(numbers, &names));
    element.remove_prefix(close + 1);
  }
  if (names.front().empty()) return Invalid("it has an empty name");
  hosts->insert(hosts->end(), names.begin(), names.end());
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<std::string>> ExpandHostlist(absl::string_view text) {
  Names hosts;
  size_t begin = 0;
  bool in_brackets = false;
  for (size_t i = 0; i <= text.size(); ++i) {
    if (i < text.size() && text[i] == '[') in_brackets = true;
    if (i < text.size() && text[i] == ']') in_brackets = false;
    if (i < text.size() && (text[i] != ',' || in_brackets)) continue;
    GEEPS_RETURN_IF_ERROR(ExpandElement(text.substr(begin, i - begin), &hosts));
    if (hosts.size() > kHostsMax) return Invalid("it has more than ", kHostsMax, " hosts");
    begin = i + 1;
  }
  return hosts;
}

}  // namespace geeps::session
