// SPDX-License-Identifier: Apache-2.0
// Structs of the C ABI of any struct_size, with anything behind what the library knows, and buffers of any length for
// texts. Each lies in memory of exactly the size that it names, so that a byte read or written too far is seen. One
// runtime serves all inputs.
#include <algorithm>
#include <cstddef>
#include <memory>

#include "geeps.h"
#include "tests/fuzz/fuzz.h"

namespace geeps::fuzz {
namespace {

constexpr uint32_t kStructBytesMax = 4096;  // a longer one was never set
constexpr uint64_t kLimitNs = 20'000'000'000;

geeps_error MakeError() {
  geeps_error err = {};
  err.struct_size = sizeof err;
  return err;
}

void Must(geeps_status status) { FUZZ_CHECK(status == GEEPS_OK); }

// A struct as a program of another release has it: so many bytes, of which it says so.
template <typename T>
class Sized {
 public:
  // The members come from `value`, as far as the size goes, what lies behind them from the input.
  Sized(T value, Input* input) : size_(input->Number<uint32_t>()) {
    const bool zero = input->Flag();
    bytes_ = std::min(std::max<uint32_t>(size_, sizeof(uint32_t)), kStructBytesMax);
    data_.reset(new uint8_t[bytes_]());
    value.struct_size = size_;
    std::memcpy(data_.get(), &value, std::min<size_t>(bytes_, sizeof(T)));
    for (uint32_t i = sizeof(T); i < bytes_ && !zero; ++i) {
      data_[i] = input->Byte();
      zero_tail_ = zero_tail_ && data_[i] == 0;
    }
    before_.assign(data_.get(), data_.get() + bytes_);
  }
  T* get() { return reinterpret_cast<T*>(data_.get()); }
  bool fits() const { return size_ >= sizeof(T) && size_ <= kStructBytesMax && zero_tail_; }
  bool untouched() const { return std::memcmp(before_.data(), data_.get(), bytes_) == 0; }
  // Size and what the library does not know are the program's.
  bool kept() const {
    return std::memcmp(before_.data(), data_.get(), sizeof(uint32_t)) == 0 &&
           (bytes_ <= sizeof(T) ||
            std::memcmp(before_.data() + sizeof(T), data_.get() + sizeof(T), bytes_ - sizeof(T)) == 0);
  }
  // A struct that does not fit is refused and left alone.
  void Judge(geeps_status status, const geeps_error& err) const {
    FUZZ_CHECK((status == GEEPS_E_ABI) == !fits());
    FUZZ_CHECK(status == GEEPS_OK ? kept() : untouched() && err.message[0] != 0);
  }

 private:
  const uint32_t size_;
  uint32_t bytes_ = 0;
  bool zero_tail_ = true;
  std::unique_ptr<uint8_t[]> data_;
  std::vector<uint8_t> before_;
};

// A worker that has committed one plan: a pass without clock that reads and looks at local data.
struct Worker {
  Worker() {
    geeps_config config = {};
    config.struct_size = sizeof config;
    config.abi_version = GEEPS_ABI_VERSION;
    const geeps_rows all = {0, GEEPS_TO_END};
    geeps_table* table = nullptr;
    geeps_local* local = nullptr;
    Must(geeps_runtime_create(&config, &rt, nullptr));
    Must(geeps_runtime_start(rt, nullptr, nullptr));
    Must(geeps_table_create(rt, "t", 4, 4, GEEPS_F32, nullptr, 0, &table, nullptr));
    Must(geeps_table_create(rt, "rows", 256, 1, GEEPS_F32, nullptr, 0, &rows, nullptr));
    Must(geeps_local_create(rt, "l", 8, 16, &local, nullptr));
    Must(geeps_plan_create(rt, "look", &plan, nullptr));
    Must(geeps_plan_read(plan, table, &all, 1, 0, 0, &read, nullptr));
    Must(geeps_plan_post_read(plan, read, nullptr));
    Must(geeps_plan_access_local(plan, local, &all, 1, 0, &access, nullptr));
    Must(geeps_plan_post_local(plan, access, nullptr));
    Must(geeps_plan_end(plan, GEEPS_PLAN_NO_CLOCK, nullptr));
    Must(geeps_commit(rt, &plan, 1, nullptr, nullptr));
  }
  ~Worker() { geeps_runtime_destroy(rt); }

  geeps_runtime* rt = nullptr;
  geeps_table* rows = nullptr;  // 256
  geeps_plan* plan = nullptr;
  geeps_op read = 0;
  geeps_op access = 0;
};

Worker& TheWorker() {
  static Worker worker;
  return worker;
}

void TryConfig(Input* input) {
  const geeps_kv options[] = {{"log_level", "error"}, {"device", "host"}, {"wrong", "x"}};
  geeps_config config = {};
  config.abi_version = input->Flag() ? GEEPS_ABI_VERSION : input->Number<uint32_t>();
  config.num_options = input->Below(4);
  config.options = options;
  const bool newer = config.abi_version >> 16 != GEEPS_ABI_VERSION >> 16;
  const bool wrong = config.num_options == 3;
  Sized<geeps_config> given(config, input);
  geeps_runtime* rt = nullptr;
  geeps_error err = MakeError();
  const geeps_status status = geeps_runtime_create(given.get(), &rt, &err);
  FUZZ_CHECK(given.untouched() && (status == GEEPS_OK) == (rt != nullptr));
  FUZZ_CHECK(status == (!given.fits() || newer ? GEEPS_E_ABI : wrong ? GEEPS_E_INVALID : GEEPS_OK));
  geeps_runtime_destroy(rt);
}

void TryInfo(Input* input) {
  Sized<geeps_info> info(geeps_info{}, input);
  geeps_error err = MakeError();
  const geeps_status status = geeps_runtime_get_info(TheWorker().rt, info.get(), &err);
  info.Judge(status, err);
  if (status == GEEPS_OK) FUZZ_CHECK(info.get()->world == 1);
}

void TryView(Input* input) {
  Worker& worker = TheWorker();
  Sized<geeps_view> view(geeps_view{}, input);
  geeps_error err = MakeError();
  Must(geeps_pass_begin(worker.rt, worker.plan, nullptr));
  geeps_status status = geeps_read(worker.rt, worker.read, nullptr, kLimitNs, view.get(), &err);
  view.Judge(status, err);
  if (status == GEEPS_OK) {
    FUZZ_CHECK(view.get()->num_rows == 4 && view.get()->bytes == 64);
    Must(geeps_post_read(worker.rt, worker.read, nullptr, nullptr));
    Sized<geeps_view> local(geeps_view{}, input);
    status = geeps_access_local(worker.rt, worker.access, nullptr, kLimitNs, local.get(), &err);
    local.Judge(status, err);
    if (status == GEEPS_OK) {
      std::memset(local.get()->data, 1, local.get()->bytes);
      Must(geeps_post_local(worker.rt, worker.access, nullptr, nullptr));
    }
  }
  Must(geeps_pass_end(worker.rt, nullptr, nullptr));
}

void TryStream(Input* input) {
  Worker& worker = TheWorker();
  geeps_stream stream = {};
  stream.kind = input->Below(4);
  stream.handle = input->Byte();
  Sized<geeps_stream> given(stream, input);
  geeps_view view = {};
  view.struct_size = sizeof view;
  geeps_error err = MakeError();
  Must(geeps_pass_begin(worker.rt, worker.plan, nullptr));
  const geeps_status status = geeps_read(worker.rt, worker.read, given.get(), kLimitNs, &view, &err);
  FUZZ_CHECK(given.untouched());
  FUZZ_CHECK(status == (!given.fits()                        ? GEEPS_E_ABI
                        : stream.kind == GEEPS_STREAM_HOST   ? GEEPS_OK
                        : stream.kind == GEEPS_STREAM_DEVICE ? GEEPS_E_UNSUPPORTED
                                                             : GEEPS_E_INVALID));
  if (status == GEEPS_OK) Must(geeps_post_read(worker.rt, worker.read, given.get(), nullptr));
  Must(geeps_pass_end(worker.rt, nullptr, nullptr));
}

// An error has the size that the program says, however long the sentence is, and is filled as far as it goes.
void TryError(Input* input) {
  const uint32_t size = input->Number<uint32_t>();
  const std::string name = input->CText();
  const size_t bytes = std::min<size_t>(std::max<size_t>(size, sizeof size), sizeof(geeps_error) + 64);
  const std::unique_ptr<uint8_t[]> data(new uint8_t[bytes]);
  std::memset(data.get(), 0x66, bytes);
  std::memcpy(data.get(), &size, sizeof size);
  geeps_error* const err = reinterpret_cast<geeps_error*>(data.get());
  FUZZ_CHECK(geeps_plugin_get_interface(TheWorker().rt, name.c_str(), "x", nullptr, nullptr, err) < 0);
  FUZZ_CHECK(std::memcmp(data.get(), &size, sizeof size) == 0);
  constexpr size_t kMessageAt = offsetof(geeps_error, message);
  if (size >= kMessageAt + 2) {
    FUZZ_CHECK(std::memchr(data.get() + kMessageAt, 0, bytes - kMessageAt) != nullptr && data[kMessageAt] != 0);
  }
  for (size_t i = std::max<size_t>(size, sizeof size); i < bytes; ++i) FUZZ_CHECK(data[i] == 0x66);
}

// A buffer that is too short is left alone, and the length is told.
void TryText(Input* input) {
  Worker& worker = TheWorker();
  const uint32_t function = input->Below(3);
  const uint64_t cap = input->Number<uint16_t>();
  const bool null = input->Flag();
  const char* const formats[] = {"text", "json", "xml"};
  const uint32_t format = input->Below(3);
  const std::unique_ptr<char[]> buf(new char[cap]);
  std::memset(buf.get(), 'q', cap);
  uint64_t len = 0;
  int32_t level = 77;
  geeps_error err = MakeError();
  char* const given = null ? nullptr : buf.get();
  geeps_status status = GEEPS_OK;
  if (function == 0) status = geeps_runtime_get_stats(worker.rt, given, cap, &len, &err);
  if (function == 1) status = geeps_plan_explain(worker.plan, formats[format], given, cap, &len, &err);
  if (function == 2) status = geeps_log_take(worker.rt, &level, given, cap, &len, &err);
  const bool refused = (null && cap > 0) || (function == 1 && format == 2);
  FUZZ_CHECK((status < 0) == refused);
  const size_t written = static_cast<size_t>(std::find(buf.get(), buf.get() + cap, '\0') - buf.get());
  if (status != GEEPS_OK) {
    FUZZ_CHECK(len == 0 && level == 77 && std::count(buf.get(), buf.get() + cap, 'q') == static_cast<ptrdiff_t>(cap));
  } else if (len > cap) {
    FUZZ_CHECK(std::count(buf.get(), buf.get() + cap, 'q') == static_cast<ptrdiff_t>(cap));
  } else {
    FUZZ_CHECK(written + 1 == len);
  }
}

// Rows of any kind, exactly so many as are said.
void TryRows(Input* input) {
  Worker& worker = TheWorker();
  const uint32_t num_runs = input->Below(20);
  const std::unique_ptr<geeps_rows[]> rows(new geeps_rows[num_runs]);
  for (uint32_t i = 0; i < num_runs; ++i) {
    const uint32_t form = input->Below(4);
    rows[i].first = form == 3 ? input->Number<uint64_t>() : input->Byte();
    rows[i].count = form == 2 ? GEEPS_TO_END : form == 3 ? input->Number<uint64_t>() : input->Byte();
  }
  geeps_plan* plan = nullptr;
  Must(geeps_plan_create(worker.rt, "rows", &plan, nullptr));
  geeps_op op = 0;
  geeps_error err = MakeError();
  const geeps_status status = geeps_plan_read(plan, worker.rows, rows.get(), num_runs, 0, 0, &op, &err);
  bool right = true;
  uint64_t next = 0;
  for (uint32_t i = 0; i < num_runs && right; ++i) {
    const uint64_t count =
        rows[i].count == GEEPS_TO_END && i + 1 == num_runs && rows[i].first < 256 ? 256 - rows[i].first : rows[i].count;
    right = rows[i].first >= next && rows[i].first < 256 && count > 0 && count <= 256 - rows[i].first;
    next = rows[i].first + count;
  }
  FUZZ_CHECK(status == (right ? GEEPS_OK : GEEPS_E_INVALID) && (status == GEEPS_OK) == (op != 0));
  FUZZ_CHECK(right || err.message[0] != 0);
  geeps_plan_destroy(plan);
}

}  // namespace

std::vector<std::string> FuzzSeeds() {
  std::vector<std::string> seeds;
  for (const uint32_t own : {uint32_t{sizeof(geeps_config)}, uint32_t{sizeof(geeps_info)}, uint32_t{sizeof(geeps_view)},
                             uint32_t{sizeof(geeps_stream)}}) {
    for (const uint32_t size : {0u, 3u, own - 1, own, own + 8, 4096u, 4097u, 0xffffffffu}) {
      for (const uint32_t zero : {0u, 1u}) {
        if (own == sizeof(geeps_config)) {
          seeds.push_back(Seed().Byte(0).Byte(1).Byte(2).Number(size).Byte(zero).Raw("x"));
        } else if (own == sizeof(geeps_info)) {
          seeds.push_back(Seed().Byte(1).Number(size).Byte(zero).Raw("x"));
        } else if (own == sizeof(geeps_view)) {
          seeds.push_back(Seed().Byte(2).Number(size).Byte(zero).Raw("x"));
          seeds.push_back(Seed().Byte(2).Number(own).Byte(1).Number(size).Byte(zero).Raw("x"));
        } else {
          seeds.push_back(Seed().Byte(3).Byte(0).Byte(0).Number(size).Byte(zero).Raw("x"));
        }
      }
    }
  }
  seeds.push_back(Seed().Byte(0).Byte(1).Byte(3).Number(uint32_t{sizeof(geeps_config)}).Byte(1));
  seeds.push_back(Seed().Byte(0).Byte(0).Number(0x10000u).Byte(0).Number(uint32_t{sizeof(geeps_config)}).Byte(1));
  for (uint32_t kind = 1; kind < 4; ++kind) {
    seeds.push_back(Seed().Byte(3).Byte(kind).Byte(0).Number(uint32_t{sizeof(geeps_stream)}).Byte(1));
  }
  for (const uint32_t size : {0u, 4u, 39u, 40u, 41u, 42u, 60u, 520u, 600u, 0xffffffffu}) {
    seeds.push_back(Seed().Byte(4).Number(size).Text("nothing"));
    seeds.push_back(Seed().Byte(4).Number(size).Text("p\xc3\xbc\xc3\xbc\xc3\xbc" + std::string(600, 'l')));
  }
  for (uint32_t function = 0; function < 3; ++function) {
    for (const uint16_t cap : {uint16_t{0}, uint16_t{5}, uint16_t{9000}}) {
      for (uint32_t null = 0; null < 2; ++null) {
        seeds.push_back(Seed().Byte(5).Byte(function).Number(cap).Byte(null).Byte(cap % 3));
      }
    }
  }
  seeds.push_back(Seed().Byte(6).Byte(2).Byte(0).Byte(0).Byte(3).Byte(0).Byte(5).Byte(9));
  seeds.push_back(Seed().Byte(6).Byte(2).Byte(0).Byte(5).Byte(3).Byte(0).Byte(0).Byte(9));
  seeds.push_back(Seed().Byte(6).Byte(1).Byte(2).Byte(250));
  seeds.push_back(Seed().Byte(6).Byte(2).Byte(2).Byte(0).Byte(2).Byte(9));
  seeds.push_back(Seed().Byte(6).Byte(0));
  seeds.push_back(Seed().Byte(6).Byte(1).Byte(3).Number(~uint64_t{0} - 1).Number(uint64_t{5}));
  return seeds;
}

}  // namespace geeps::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace geeps::fuzz;  // NOLINT
  Input input(data, size);
  switch (input.Below(7)) {
    case 0:
      TryConfig(&input);
      break;
    case 1:
      TryInfo(&input);
      break;
    case 2:
      TryView(&input);
      break;
    case 3:
      TryStream(&input);
      break;
    case 4:
      TryError(&input);
      break;
    case 5:
      TryText(&input);
      break;
    default:
      TryRows(&input);
      break;
  }
  return 0;
}
