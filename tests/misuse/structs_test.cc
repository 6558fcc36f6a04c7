// SPDX-License-Identifier: Apache-2.0
// Structs of other sizes than the library's, and text that does not fit.
#include <doctest/doctest.h>

#include <cstring>

#include "tests/misuse/situation.h"

namespace geeps::misuse_test {
namespace {

// A struct with room behind it.
template <typename T>
struct Longer {
  T value;
  unsigned char tail[32];
};

template <typename T>
Longer<T> MakeLonger(unsigned char tail) {
  Longer<T> longer;
  std::memset(&longer, 0, sizeof longer);
  longer.value.struct_size = sizeof longer;
  longer.tail[20] = tail;
  return longer;
}

// The call on structs of wrong sizes. fn(T*, geeps_error*).
template <typename T, typename Fn>
void TrySizes(const Fn& fn) {
  for (const uint32_t size :
       {0u, 3u, 4u, uint32_t{sizeof(T)} - 1, 0xfffffff0u}) {  // the first release had all of today's members
    T value;
    std::memset(&value, 0, sizeof value);
    value.struct_size = size;
    T before;
    std::memcpy(&before, &value, sizeof before);
    geeps_error err = EmptyError();
    CAPTURE(size);
    CHECK(fn(&value, &err) == GEEPS_E_ABI);
    CHECK(err.message[0] != 0);
    CHECK(std::memcmp(&before, &value, sizeof value) == 0);
  }
  Longer<T> later = MakeLonger<T>(1);
  geeps_error err = EmptyError();
  CHECK(fn(&later.value, &err) == GEEPS_E_ABI);
  CHECK(std::string(err.message).find(std::to_string(sizeof(T))) != std::string::npos);
  CHECK(std::string(err.message).find(std::to_string(sizeof later)) != std::string::npos);
  CHECK(later.tail[20] == 1);
}

}  // namespace

TEST_CASE("geeps_config: a size too small or a tail that is not zero is refused, a zero tail is not") {
  Situation situation(kCreated);
  const auto create = [&](geeps_config* config, geeps_error* err) {
    config->abi_version = GEEPS_ABI_VERSION;
    return geeps_runtime_create(config, &situation.outputs.rt, err);
  };
  geeps_error err = EmptyError();
  // Less than the first release had, or never set at all.
  for (const uint32_t size : {0u, 1u, 4u, uint32_t{sizeof(geeps_config)} - 1, 0x7fffffffu, 0xffffffffu}) {
    geeps_config config = {};
    config.struct_size = size;
    CHECK(create(&config, &err) == GEEPS_E_ABI);
  }
  Longer<geeps_config> bad = MakeLonger<geeps_config>(1);
  CHECK(create(&bad.value, &err) == GEEPS_E_ABI);
  CHECK(std::string(err.message).find(std::to_string(sizeof(geeps_config))) != std::string::npos);
  CHECK(std::string(err.message).find(std::to_string(sizeof bad)) != std::string::npos);
  Longer<geeps_config> good = MakeLonger<geeps_config>(0);
  CHECK(create(&good.value, &err) == GEEPS_OK);
  geeps_runtime_destroy(situation.outputs.rt);
}

TEST_CASE("geeps_config: another major version of the ABI is refused") {
  Situation situation(kCreated);
  for (const uint32_t version : {0x00010000u, 0x7fff0000u, 0xffffffffu}) {
    Arguments spoiled = situation.args;
    spoiled.config.abi_version = version;
    spoiled.config_ptr = &spoiled.config;
    geeps_error err = EmptyError();
    CHECK(FunctionNamed("geeps_runtime_create").call(spoiled, &err) == GEEPS_E_ABI);
    CHECK(err.message[0] != 0);
  }
}

TEST_CASE("geeps_info and geeps_view: sizes too small and tails that are not zero are refused") {
  {
    Situation situation(kCommitted);
    TrySizes<geeps_info>(
        [&](geeps_info* info, geeps_error* err) { return geeps_runtime_get_info(situation.args.rt, info, err); });
  }
  {
    Situation situation(kTrain0);
    TrySizes<geeps_view>([&](geeps_view* view, geeps_error* err) {
      return geeps_read(situation.args.rt, situation.args.read, nullptr, GEEPS_NO_LIMIT, view, err);
    });
  }
  {
    Situation situation(kTrain2);
    TrySizes<geeps_view>([&](geeps_view* view, geeps_error* err) {
      return geeps_pre_update(situation.args.rt, situation.args.update, nullptr, GEEPS_NO_LIMIT, view, err);
    });
  }
  {
    Situation situation(kTrain4);
    TrySizes<geeps_view>([&](geeps_view* view, geeps_error* err) {
      return geeps_access_local(situation.args.rt, situation.args.local_op, nullptr, GEEPS_NO_LIMIT, view, err);
    });
  }
}

TEST_CASE("a newer program's longer struct keeps its size and its tail") {
  Situation situation(kCommitted);
  Longer<geeps_info> info = MakeLonger<geeps_info>(0);
  geeps_error err = EmptyError();
  CHECK(geeps_runtime_get_info(situation.args.rt, &info.value, &err) == GEEPS_OK);
  CHECK(info.value.world == 1);
  const unsigned char zeros[32] = {};
  CHECK(std::memcmp(info.tail, zeros, sizeof zeros) == 0);
}

TEST_CASE("geeps_error: nothing is written beyond the size that the program gives") {
  for (const uint32_t size : {0u, 3u, 4u, 8u, 16u, 40u, 64u, uint32_t{sizeof(geeps_error)}}) {
    geeps_error err;
    std::memset(&err, 0x66, sizeof err);
    err.struct_size = size;
    CHECK(geeps_fence(nullptr, nullptr, &err) == GEEPS_E_INVALID);
    const unsigned char* const bytes = reinterpret_cast<const unsigned char*>(&err);
    bool untouched = true;
    for (size_t i = std::max<size_t>(size, 4); i < sizeof err; ++i) untouched = untouched && bytes[i] == 0x66;
    CAPTURE(size);
    CHECK(untouched);
    CHECK(err.struct_size == size);
    if (size > offsetof(geeps_error, message))
      CHECK(std::memchr(err.message, 0, size - offsetof(geeps_error, message)) != nullptr);
  }
}

TEST_CASE("text out: too small a buffer is left alone and the length is told; the exact length fits") {
  Situation situation(kCommitted);
  const auto take = [&](const char* function, char* buf, uint64_t cap, uint64_t* len) {
    Arguments a = situation.args;
    a.buf = buf;
    a.cap = cap;
    a.len_out = len;
    geeps_error err = EmptyError();
    return FunctionNamed(function).call(a, &err);
  };
  for (const char* function : {"geeps_runtime_get_stats", "geeps_plan_explain"}) {
    CAPTURE(std::string(function));
    uint64_t len = 0;
    REQUIRE(take(function, nullptr, 0, &len) == GEEPS_OK);
    REQUIRE(len > 2);
    std::string small(len - 1, 'q');
    uint64_t again = 0;
    CHECK(take(function, small.data(), small.size(), &again) == GEEPS_OK);
    CHECK(small == std::string(len - 1, 'q'));
    std::string exact(again + 64, 'q');
    CHECK(take(function, exact.data(), exact.size(), &len) == GEEPS_OK);
    CHECK(exact[len - 1] == 0);
    CHECK(std::strlen(exact.c_str()) == len - 1);
    CHECK(exact.find_first_not_of('q', len) == std::string::npos);
  }
}

TEST_CASE("limit 0 and limits near 2^63 and 2^64 work") {
  Situation situation(kTrain0);
  geeps_view view = {};
  view.struct_size = sizeof view;
  geeps_error err = EmptyError();
  geeps_status status = GEEPS_AGAIN;
  while (status == GEEPS_AGAIN) status = geeps_read(situation.args.rt, situation.args.read, nullptr, 0, &view, &err);
  CHECK(status == GEEPS_OK);
  CHECK(geeps_post_read(situation.args.rt, situation.args.read, nullptr, &err) == GEEPS_OK);
  CHECK(geeps_pre_update(situation.args.rt, situation.args.update, nullptr, ~uint64_t{0} - 1, &view, &err) == GEEPS_OK);
  CHECK(geeps_update(situation.args.rt, situation.args.update, nullptr, &err) == GEEPS_OK);
  CHECK(geeps_access_local(situation.args.rt, situation.args.local_op, nullptr, uint64_t{1} << 63, &view, &err) ==
        GEEPS_OK);
}

}  // namespace geeps::misuse_test
