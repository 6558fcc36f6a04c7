// SPDX-License-Identifier: Apache-2.0
#include "tools/geeps/bench_gpu.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "tools/geeps/bench_job.h"

namespace geeps::tool {
namespace {

constexpr uint64_t kRepeatsMax = 1000000;
constexpr int kExitNotMeasured = 3;

struct Section {
  const char* name;
  GpuOutcome (*run)(const BenchOptions&);
};

constexpr Section kSections[] = {{"device", BenchGpuDeviceFacts}, {"moves", BenchGpuMoves},
                                 {"rules", BenchGpuRules},        {"tables", BenchGpuTables},
                                 {"step", BenchGpuStep},          {"workers", BenchGpuWorkers}};

bool IsChosen(const BenchOptions& options, const std::string& name) {
  return options.sections.empty() ||
         std::find(options.sections.begin(), options.sections.end(), name) != options.sections.end();
}

// The body of a section's process.
int RunSection(const BenchOptions& options, const Section& section) {
  const GpuOutcome outcome = section.run(options);
  if (outcome.kind == GpuOutcome::kNotMeasured) PrintNotMeasured(options, section.name, "", outcome.reason);
  if (outcome.kind == GpuOutcome::kFailed) {
    std::fprintf(stderr, "geeps bench gpu: %s: %s\n", section.name, outcome.reason.c_str());
  }
  std::fflush(stdout);
  std::fflush(stderr);
  return outcome.kind == GpuOutcome::kMeasured ? 0 : outcome.kind == GpuOutcome::kNotMeasured ? kExitNotMeasured : 1;
}

// The exit code of a section, or 1 and a sentence.
int RunInProcess(const BenchOptions& options, const Section& section) {
  const pid_t child = fork();
  if (child == 0) _exit(RunSection(options, section));
  int state = 0;
  if (child < 0 || waitpid(child, &state, 0) != child) {
    std::fprintf(stderr, "geeps bench gpu: %s: no process for it: %s\n", section.name, std::strerror(errno));
    return 1;
  }
  if (WIFEXITED(state)) return WEXITSTATUS(state);
  std::fprintf(stderr, "geeps bench gpu: %s: ended by signal %d (%s)\n", section.name, WTERMSIG(state),
               strsignal(WTERMSIG(state)));
  return 1;
}

// What JSON and a line for people have in common.
std::string OneLine(std::string text) {
  for (char& c : text) {
    if (c == '"' || c == '\\') c = '\'';
    if (static_cast<unsigned char>(c) < ' ') c = ' ';
  }
  return text;
}

}  // namespace

std::string BenchGpu(const BenchOptions& options) {
  std::string failed;
  uint64_t num_failed = 0, num_run = 0, num_measured = 0;
  for (const Section& section : kSections) {
    if (!IsChosen(options, section.name)) continue;
    const int code = RunInProcess(options, section);
    ++num_run;
    if (code == 0) ++num_measured;
    if (code == 0 || code == kExitNotMeasured) continue;
    failed += (num_failed++ == 0 ? "" : ", ") + std::string(section.name);
  }
  if (num_failed > 0) {
    return std::to_string(num_failed) + " of " + std::to_string(num_run) + " sections failed: " + failed;
  }
  return num_measured > 0 ? "" : "nothing could be measured";
}

std::string GpuSectionNames() {
  std::string names;
  for (const Section& section : kSections) names += (names.empty() ? "" : ", ") + std::string(section.name);
  return names;
}

bool IsGpuSection(const std::string& name) {
  return std::any_of(std::begin(kSections), std::end(kSections),
                     [&](const Section& section) { return name == section.name; });
}

GpuOutcome OutcomeOf(const geeps::Error& err) {
  if (err.ok()) return {};
  const bool is_absent = err.status() == GEEPS_E_NOT_FOUND || err.status() == GEEPS_E_NOMEM ||
                         err.status() == GEEPS_E_BUDGET || err.status() == GEEPS_E_UNSUPPORTED;
  return {is_absent ? GpuOutcome::kNotMeasured : GpuOutcome::kFailed,
          std::string(err.status_name()) + ": " + err.message()};
}

GpuOutcome OutcomeOf(const std::string& problem) {
  if (problem.empty()) return {};
  bool is_absent = false;
  for (const char* const status : {"GEEPS_E_NOT_FOUND", "GEEPS_E_NOMEM", "GEEPS_E_BUDGET", "GEEPS_E_UNSUPPORTED"}) {
    is_absent = is_absent || problem.find(status) != std::string::npos;
  }
  return {is_absent ? GpuOutcome::kNotMeasured : GpuOutcome::kFailed, problem};
}

GpuOutcome WrongResult(const std::string& what, double found, double expected) {
  char text[300];
  std::snprintf(text, sizeof text, "%s: %.9g where %.9g is right", what.c_str(), found, expected);
  return {GpuOutcome::kFailed, text};
}

double GpuVariant::median() const { return Median(seconds); }

void TakeSamples(GpuDevice* gpu, const BenchOptions& options, const std::vector<GpuVariant*>& variants) {
  const auto sample = [&](GpuVariant* variant) {
    gpu->Finish();
    const double begin_s = SecondsNow();
    for (uint64_t i = 0; i < variant->repeats && gpu->ok(); ++i) variant->work();
    gpu->Finish();
    const double spent_s = SecondsNow() - begin_s;
    variant->calls += variant->repeats;
    variant->spent_s += spent_s;
    return spent_s / static_cast<double>(variant->repeats);
  };
  const double wanted_s = static_cast<double>(options.sample_us) * 1e-6;
  for (GpuVariant* const variant : variants) {
    sample(variant);  // warms up
    double once_s = sample(variant);
    // A few at a time take less than one alone: the estimate follows.
    for (int round = 0; round < 3; ++round) {
      const double wanted = std::ceil(wanted_s / std::max(once_s, 1e-9));
      variant->repeats = static_cast<uint64_t>(std::clamp(wanted, 1.0, static_cast<double>(kRepeatsMax)));
      if (variant->repeats == 1) break;
      once_s = sample(variant);
    }
  }
  for (uint64_t i = 0; i < options.samples && gpu->ok(); ++i) {
    for (GpuVariant* const variant : variants) variant->seconds.push_back(sample(variant));
  }
}

void PrintNotMeasured(const BenchOptions& options, const std::string& section, const std::string& what,
                      const std::string& reason) {
  const std::string why = OneLine(reason);
  const std::string name = what.empty() ? section : section + ", " + what;
  PrintMeasurement(options, "gpu", {{"section", section}, {"what", what}, {"not_measured", why}}, {},
                   name + ": not measured: " + why);
}

void PrintGpu(const BenchOptions& options, const std::string& section, const std::string& what,
              const BenchFields& fields, const std::string& text) {
  PrintMeasurement(options, "gpu", {{"section", section}, {"what", OneLine(what)}}, fields, text);
}

std::string BytesText(double bytes) {
  const char* const units[] = {"B", "KiB", "MiB", "GiB"};
  int unit = 0;
  while (unit < 3 && bytes >= 1024) bytes /= 1024, ++unit;
  char text[40];
  std::snprintf(text, sizeof text, "%.4g %s", bytes, units[unit]);
  return text;
}

float MomentumAfter(uint64_t steps) {
  const float momentum = static_cast<float>(kMomentum), rate = static_cast<float>(kRate);
  float value = 0, m = 0;
  for (uint64_t t = 0; t < steps; ++t) {
    m = momentum * m + kGradient;
    value = value - rate * m;
  }
  return value;
}

// 256 MiB beside a table of 8 GiB: several times what caches of today's devices hold.
uint64_t WorkingBytes(const BenchOptions& options) { return std::max<uint64_t>(options.gpu_bytes / 32, 65536); }

GpuOutcome BenchGpuDeviceFacts(const BenchOptions& options) {
  geeps::Error err;
  const GpuDevice gpu(options.device, &err);
  if (!err.ok()) return OutcomeOf(err);
  const geeps_dev_info& info = gpu.info();
  char text[300];
  std::snprintf(text, sizeof text, "%s: %s of memory%s; median of %llu samples, each of %llu us or more", info.name,
                BytesText(static_cast<double>(info.memory_bytes)).c_str(),
                info.device_bandwidth == 0
                    ? ""
                    : (", " + std::to_string(info.device_bandwidth / 1000000000) + " GB/s by its clocks").c_str(),
                static_cast<unsigned long long>(options.samples), static_cast<unsigned long long>(options.sample_us));
  PrintGpu(options, "device", info.name,
           {{"memory_bytes", static_cast<double>(info.memory_bytes)},
            {"device_bandwidth", static_cast<double>(info.device_bandwidth)},
            {"samples", static_cast<double>(options.samples)},
            {"sample_us", static_cast<double>(options.sample_us)}},
           text);
  return {};
}

}  // namespace geeps::tool
