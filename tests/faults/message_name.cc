// SPDX-License-Identifier: Apache-2.0
#include "tests/faults/message_name.h"

#include <cstdint>
#include <cstring>

namespace geeps::fault_test {
namespace {

constexpr uint32_t kControlMagic = 0x4c545047;
constexpr size_t kControlHeaderBytes = 24;
constexpr uint64_t kGreetingMagic = 0x31544850'53504547ull;
constexpr uint64_t kAnswerMagic = 0x31415048'53504547ull;
constexpr uint32_t kFrameMagic = 0x464d5047;
constexpr size_t kFrameHeaderBytes = 32;
constexpr uint16_t kFrameClose = 2;

const char* const kControlTypes[] = {"?",     "HELLO", "REFUSED", "WELCOME", "BEAT", "ENTER", "GO",      "FAIL",
                                     "FETCH", "LINES", "SUSPECT", "BYE",     "DOWN", "RELAY", "STRANGER"};
const char* const kFences[] = {"?", "commit", "fence", "shutdown"};
const char* const kMessages[] = {"?",       "CONTRIBUTION", "FIRE", "PUBLISH", "CREDIT", "WHO",
                                 "MISSING", "GET",          "GOT",  "SET",     "ACK"};

template <typename Number>
Number At(std::string_view bytes, size_t offset) {
  Number number = 0;
  if (offset + sizeof number <= bytes.size()) std::memcpy(&number, bytes.data() + offset, sizeof number);
  return number;
}

template <size_t kCount>
const char* Pick(const char* const (&names)[kCount], size_t index) {
  return names[index < kCount ? index : 0];
}

std::string ControlName(std::string_view bytes) {
  const std::string type = Pick(kControlTypes, At<uint16_t>(bytes, 6));
  if ((type != "ENTER" && type != "GO") || bytes.size() < kControlHeaderBytes + 2) return type;
  return type + " " + Pick(kFences, At<uint8_t>(bytes, kControlHeaderBytes)) + " " +
         std::to_string(At<uint8_t>(bytes, kControlHeaderBytes + 1));
}

}  // namespace

std::string NameOfBytes(std::string_view bytes) {
  if (bytes.size() >= kControlHeaderBytes && At<uint32_t>(bytes, 0) == kControlMagic) return ControlName(bytes);
  if (bytes.size() < sizeof(uint64_t)) return "";
  if (At<uint64_t>(bytes, 0) == kGreetingMagic) return "GREETING";
  if (At<uint64_t>(bytes, 0) == kAnswerMagic) return "ANSWER";
  if (bytes.size() < kFrameHeaderBytes || At<uint32_t>(bytes, 0) != kFrameMagic) return "";
  if (At<uint16_t>(bytes, 8) == kFrameClose) return "CLOSE";
  return bytes.size() > kFrameHeaderBytes ? Pick(kMessages, At<uint8_t>(bytes, kFrameHeaderBytes)) : "";
}

std::vector<std::string> ControlStream::Take(std::string_view bytes) {
  pending_.append(bytes);
  std::vector<std::string> names;
  while (pending_.size() >= kControlHeaderBytes) {
    if (At<uint32_t>(pending_, 0) != kControlMagic) {
      pending_.clear();  // a descriptor of another connection, used again
      break;
    }
    const size_t whole = kControlHeaderBytes + At<uint32_t>(pending_, 8);
    if (pending_.size() < whole) break;
    names.push_back(ControlName(pending_));
    pending_.erase(0, whole);
  }
  return names;
}

}  // namespace geeps::fault_test
