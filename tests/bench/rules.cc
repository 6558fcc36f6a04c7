// SPDX-License-Identifier: Apache-2.0
// rules: `apply` of the host device against hand loops that do the same, for every rule, f32, two contributions. A
// device is reached by programs only through a runtime's clocks, so this links the archives as unit tests do. Samples
// of both are taken by turns; one JSON line for each rule and size.
//
// usage: rules SAMPLES CORE VALUES...     VALUES: multiples of 1024
#include <time.h>

#include <cmath>
#include <functional>
#include <string>

#include "geeps_device.h"
#include "runtime/device/device.h"
#include "runtime/table/rule.h"
#include "tests/bench/limits/hand_rules.h"
#include "tests/bench/measure.h"

namespace {

using geeps_bench::HandArrays;

constexpr uint64_t kRowValues = 1024;
constexpr uint64_t kSampleValues = uint64_t{1} << 23;  // of one sample: some milliseconds

// Values, contributions and state of one side.
struct Arrays {
  explicit Arrays(uint64_t n) : a(n), b(n), value(n, 1.0f), first_state(n), second_state(n), steps(n / kRowValues) {
    for (uint64_t i = 0; i < n; ++i) {
      a[i] = 0.001f * static_cast<float>(i % 61) - 0.02f;
      b[i] = 0.003f * static_cast<float>(i % 17) - 0.01f;
    }
  }
  std::vector<float> a, b, value, first_state, second_state;
  std::vector<uint64_t> steps;
};

void Check(geeps_status status, const geeps_error& err) {
  if (status == GEEPS_OK) return;
  std::fprintf(stderr, "rules: %s\n", err.message);
  std::exit(1);
}

class HostApply {
 public:
  HostApply() {
    geeps_dev_config config = {};
    config.struct_size = sizeof config;
    config.device_id = -1;
    err_.struct_size = sizeof err_;
    Check(table_->create(nullptr, &config, &dev_, &err_), err_);
    Check(table_->stream_create(dev_, nullptr, &stream_, &err_), err_);
  }
  ~HostApply() {
    table_->stream_destroy(stream_);
    table_->destroy(dev_);
  }

  void Step(const geeps::table::UpdateRule& rule, const double* params, Arrays* x) {
    const uint64_t rows = x->value.size() / kRowValues;
    const geeps_apply_input inputs[] = {{x->a.data(), 0, 0}, {x->b.data(), 1, 0}};
    const geeps_apply_segment segment = {0, rows, 0, 2};
    geeps_apply apply = geeps::device::MakeApply();
    apply.rule = static_cast<uint32_t>(rule.id);
    apply.dtype = apply.input_dtype = GEEPS_F32;
    apply.reduce = GEEPS_REDUCE_SUM;
    apply.num_rows = rows;
    apply.row_values = kRowValues;
    apply.values_in = apply.values_out = x->value.data();
    float* const states[] = {x->first_state.data(), x->second_state.data()};
    for (int i = 0; i < rule.num_states; ++i) apply.states[i] = states[i];
    std::copy(params, params + rule.num_params, apply.params);
    apply.segments = &segment;
    apply.num_segments = 1;
    apply.inputs = inputs;
    apply.num_inputs = 2;
    apply.steps = rule.counts_steps ? x->steps.data() : nullptr;
    Check(table_->apply(stream_, &apply, 1, &err_), err_);  // the host device is synchronous
  }

 private:
  const geeps_device* const table_ = geeps::device::HostDeviceTable();
  geeps_dev* dev_ = nullptr;
  geeps_dev_stream* stream_ = nullptr;
  geeps_error err_ = {};
};

// CPU time of this thread: there is nothing to wait for, and other work on the core is left out.
double ThreadSeconds() {
  timespec now = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double SecondsOf(uint64_t repeats, const std::function<void()>& step) {
  const double begin_s = ThreadSeconds();
  for (uint64_t i = 0; i < repeats; ++i) step();
  return (ThreadSeconds() - begin_s) / static_cast<double>(repeats);
}

// Both sides have taken the same steps: only sums of squares may be made in another order.
bool Agree(const Arrays& ours, const Arrays& hand) {
  for (uint64_t i = 0; i < ours.value.size(); ++i) {
    const float x = ours.value[i], y = hand.value[i];
    if (!(std::fabs(x - y) <= 1e-3f * (1 + std::fabs(y)))) {
      std::fprintf(stderr, "rules: value %llu is %g, by hand %g\n", static_cast<unsigned long long>(i),
                   static_cast<double>(x), static_cast<double>(y));
      return false;
    }
  }
  return true;
}

std::string List(const std::vector<double>& values) {
  std::string text;
  for (double value : values) {
    char number[40];
    std::snprintf(number, sizeof number, "%s%.6g", text.empty() ? "" : ", ", value);
    text += number;
  }
  return "[" + text + "]";
}

bool Measure(HostApply* device, const geeps::table::UpdateRule& rule, uint64_t values, uint64_t samples) {
  double params[geeps::table::kMaxRuleParams] = {};
  for (int i = 0; i < rule.num_params; ++i) params[i] = rule.params[i].initial;
  Arrays ours(values), by_hand(values);
  const HandArrays hand = {values,
                           kRowValues,
                           by_hand.a.data(),
                           by_hand.b.data(),
                           by_hand.value.data(),
                           by_hand.first_state.data(),
                           by_hand.second_state.data()};
  uint64_t t = 0;
  const std::function<void()> our_step = [&] { device->Step(rule, params, &ours); };
  const std::function<void()> hand_step = [&] {
    if (geeps_bench::HandStep(static_cast<uint32_t>(rule.id), params, ++t, hand)) return;
    std::fprintf(stderr, "rules: there is no hand loop for rule %s\n", rule.name);
    std::exit(1);
  };
  our_step();
  hand_step();
  if (!Agree(ours, by_hand)) return false;
  std::vector<double> our_ns, hand_ns;
  const uint64_t repeats = std::max<uint64_t>(1, kSampleValues / values);
  for (uint64_t i = 0; i < samples; ++i) {
    our_ns.push_back(SecondsOf(repeats, our_step) * 1e9 / static_cast<double>(values));
    hand_ns.push_back(SecondsOf(repeats, hand_step) * 1e9 / static_cast<double>(values));
  }
  std::printf("{\"rule\": \"%s\", \"values\": %llu, \"ours_ns_per_value\": %s, \"hand_ns_per_value\": %s}\n", rule.name,
              static_cast<unsigned long long>(values), List(our_ns).c_str(), List(hand_ns).c_str());
  std::fflush(stdout);
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fputs("usage: rules SAMPLES CORE VALUES...\n", stderr);
    return 2;
  }
  const uint64_t samples = std::strtoull(argv[1], nullptr, 10);
  geeps_bench::BindToCore(std::atoi(argv[2]));
  HostApply device;
  for (int i = 3; i < argc; ++i) {
    const uint64_t values = std::strtoull(argv[i], nullptr, 10) / kRowValues * kRowValues;
    for (const geeps::table::UpdateRule& rule : geeps::table::AllRules()) {
      if (values == 0 || samples == 0 || !Measure(&device, rule, values, samples)) return 1;
    }
  }
  return 0;
}
