// SPDX-License-Identifier: Apache-2.0
#include "runtime/capi/convert.h"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstring>
#include <new>
#include <stdexcept>
#include <string>

namespace geeps::capi {
namespace {

geeps_error EmptyError(uint32_t size = sizeof(geeps_error)) {
  geeps_error error;
  std::memset(&error, 0x5a, sizeof(error));
  error.struct_size = size;
  return error;
}

Code CodeOf(const absl::Status& status) { return DetailOf(status).code; }

// A struct as two releases know it.
struct Short {
  uint32_t struct_size;
  uint32_t a;
};
struct Long {
  uint32_t struct_size;
  uint32_t a;
  uint64_t b;
};

TEST_CASE("an error struct gets all that the status says") {
  StatusDetail detail;
  detail.code = Code::kPeerLost;
  detail.rank = 3;
  detail.clock = 17;
  detail.native_code = 104;
  detail.retryable = true;
  geeps_error error = EmptyError();
  CHECK(Report(Latched(MakeStatus(detail, "rank 3 is lost")), &error) == GEEPS_E_PEER_LOST);
  CHECK(error.struct_size == sizeof(geeps_error));
  CHECK(error.code == GEEPS_E_PEER_LOST);
  CHECK(error.rank == 3);
  CHECK(error.clock == 17);
  CHECK(error.native_code == 104);
  CHECK(error.flags == (GEEPS_ERROR_RETRYABLE | GEEPS_ERROR_LATCHED));
  CHECK(std::string(error.message) == "rank 3 is lost");
}

TEST_CASE("nobody at fault is rank -1 and clock 0") {
  StatusDetail detail;
  detail.code = Code::kInvalid;
  detail.clock = 9;
  geeps_error error = EmptyError();
  Report(MakeStatus(detail, "no"), &error);
  CHECK(error.rank == -1);
  CHECK(error.clock == 0);
}

TEST_CASE("an error struct that is missing or too short for a text is left alone, the code is returned") {
  CHECK(Report(Invalid("x"), nullptr) == GEEPS_E_INVALID);
  geeps_error error = EmptyError(offsetof(geeps_error, message) + 1);
  CHECK(Report(Invalid("x"), &error) == GEEPS_E_INVALID);
  CHECK(error.message[0] == 0x5a);
}

TEST_CASE("a shorter error struct is written up to its size and the text is cut, with its end") {
  geeps_error error = EmptyError(offsetof(geeps_error, message) + 5);
  Report(Invalid("abcdefgh"), &error);
  CHECK(std::string(error.message) == "abcd");
  CHECK(error.message[5] == 0x5a);
}

TEST_CASE("a text is cut before a character of UTF-8, never inside one") {
  // Four characters of 1, 2, 3 and 4 bytes: borders at 0, 1, 3, 6 and 10.
  const std::string text = "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x99\x82";
  const size_t kept[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10};
  for (uint32_t room = 1; room <= 10; ++room) {
    geeps_error error = EmptyError(static_cast<uint32_t>(offsetof(geeps_error, message)) + room + 1);
    Report(Invalid(text), &error);
    CHECK(std::string(error.message) == text.substr(0, kept[room]));
  }
}

TEST_CASE("a text longer than the message member is cut to it") {
  geeps_error error = EmptyError();
  Report(Invalid(std::string(5000, 'x')), &error);
  CHECK(std::string(error.message) == std::string(sizeof(error.message) - 1, 'x'));
}

TEST_CASE("a caller's struct is read up to the size it has, the rest is zero") {
  Short given{sizeof(Short), 7};
  Long read;
  REQUIRE(ReadStructBytes(&given, sizeof(Short), sizeof(Long), "config", &read).ok());
  CHECK(read.a == 7);
  CHECK(read.b == 0);
}

TEST_CASE("a caller's longer struct is read while the members this library does not know are zero") {
  Long given{sizeof(Long), 7, 0};
  Short read;
  REQUIRE(ReadStructBytes(&given, sizeof(Short), sizeof(Short), "config", &read).ok());
  CHECK(read.a == 7);
  given.b = uint64_t{1} << 56;
  const absl::Status refused = ReadStructBytes(&given, sizeof(Short), sizeof(Short), "config", &read);
  CHECK(CodeOf(refused) == Code::kAbi);
  CHECK(std::string(refused.message()).find("16") != std::string::npos);
}

TEST_CASE("sizes that no release has, and NULL, are refused") {
  Long given{sizeof(Short) - 1, 0, 0};
  Long read;
  CHECK(CodeOf(ReadStructBytes(&given, sizeof(Short), sizeof(Long), "config", &read)) == Code::kAbi);
  given.struct_size = 0;
  CHECK(CodeOf(ReadStructBytes(&given, sizeof(Short), sizeof(Long), "config", &read)) == Code::kAbi);
  given.struct_size = 0x7fffffff;
  CHECK(CodeOf(ReadStructBytes(&given, sizeof(Short), sizeof(Long), "config", &read)) == Code::kAbi);
  CHECK(CodeOf(ReadStructBytes(nullptr, sizeof(Short), sizeof(Long), "config", &read)) == Code::kInvalid);
}

TEST_CASE("an out struct keeps its size and what it has beyond this library's members") {
  const Short filled{0, 42};
  Long out{sizeof(Long), 1, 99};
  WriteStructBytes(&filled, sizeof(filled), &out);
  CHECK(out.struct_size == sizeof(Long));
  CHECK(out.a == 42);
  CHECK(out.b == 99);
  const Long more{0, 43, 5};
  Short little{sizeof(Short), 0};
  WriteStructBytes(&more, sizeof(more), &little);
  CHECK(little.struct_size == sizeof(Short));
  CHECK(little.a == 43);
}

TEST_CASE("a text goes out as a whole with its NUL, or not at all; its length always") {
  char buf[8];
  uint64_t len = 0;
  std::memset(buf, 'z', sizeof(buf));
  REQUIRE(WriteText("abc", buf, 4, &len).ok());
  CHECK(len == 4);
  CHECK(std::string(buf) == "abc");
  CHECK(buf[4] == 'z');
  std::memset(buf, 'z', sizeof(buf));
  REQUIRE(WriteText("abc", buf, 3, &len).ok());
  CHECK(len == 4);
  CHECK(buf[0] == 'z');
  REQUIRE(WriteText("", nullptr, 0, &len).ok());
  CHECK(len == 1);
  CHECK(CodeOf(WriteText("abc", nullptr, 1, &len)) == Code::kInvalid);
  CHECK(CodeOf(WriteText("abc", buf, 8, nullptr)) == Code::kInvalid);
}

TEST_CASE("a text comes in up to its limit") {
  CHECK(*ReadText("abc", "name", 3) == "abc");
  CHECK(CodeOf(ReadText("abcd", "name", 3).status()) == Code::kInvalid);
  CHECK(CodeOf(ReadText(nullptr, "name", 3).status()) == Code::kInvalid);
}

TEST_CASE("options and rows come with counts that fit their pointers") {
  const geeps_kv options[] = {{"a", "1"}, {"b", "2"}};
  REQUIRE(ReadOptions(options, 2).ok());
  CHECK((*ReadOptions(options, 2))[1].first == "b");
  CHECK(ReadOptions(nullptr, 0)->empty());
  CHECK(CodeOf(ReadOptions(nullptr, 1).status()) == Code::kInvalid);
  CHECK(CodeOf(ReadOptions(options, 1025).status()) == Code::kInvalid);
  const geeps_kv half[] = {{"a", nullptr}};
  CHECK(CodeOf(ReadOptions(half, 1).status()) == Code::kInvalid);
  CHECK(ReadRows(nullptr, 0)->empty());
  CHECK(CodeOf(ReadRows(nullptr, 1).status()) == Code::kInvalid);
  CHECK(CodeOf(ReadRows(nullptr, ~uint64_t{0}).status()) == Code::kInvalid);
}

TEST_CASE("a stream of kind DEVICE has a handle, 0 too; NULL and kind HOST have none") {
  CHECK(*ReadStream(nullptr) == std::nullopt);
  geeps_stream stream{sizeof(geeps_stream), GEEPS_STREAM_HOST, 5};
  CHECK(*ReadStream(&stream) == std::nullopt);
  stream.kind = GEEPS_STREAM_DEVICE;
  CHECK(*ReadStream(&stream) == uint64_t{5});
  stream.handle = 0;
  CHECK(*ReadStream(&stream) == uint64_t{0});
  stream.kind = 9;
  CHECK(CodeOf(ReadStream(&stream).status()) == Code::kInvalid);
}

TEST_CASE("no exception leaves the guard") {
  geeps_error error = EmptyError();
  using Result = absl::StatusOr<geeps_status>;
  CHECK(Guard(&error, []() -> Result { throw std::bad_alloc(); }) == GEEPS_E_NOMEM);
  CHECK(Guard(&error, []() -> Result { throw std::runtime_error("lost it"); }) == GEEPS_E_INTERNAL);
  CHECK(std::string(error.message).find("lost it") != std::string::npos);
  CHECK(Guard(&error, []() -> Result { throw 5; }) == GEEPS_E_INTERNAL);
  CHECK(Guard(&error, []() -> Result { return GEEPS_AGAIN; }) == GEEPS_AGAIN);
}

}  // namespace
}  // namespace geeps::capi
