// SPDX-License-Identifier: Apache-2.0
#include "tests/system/interpreter.h"

#include <cstdio>
#include <cstdlib>
#include <map>
#include <set>
#include <sstream>
#include <utility>
#include <vector>

#include "tests/support/entries.h"
#include "tests/system/scenario_expect.h"

namespace geeps::system_test {
namespace {

struct RecordedOps {
  geeps_plan* plan = nullptr;
  bool no_clock = false;
  std::vector<geeps_op> reads, updates;
};

}  // namespace

class Interpreter::Impl {
 public:
  // The answer to one call.
  std::string Answer(const std::string& line) {
    std::istringstream words(line);
    std::string verb;
    words >> verb;
    error_ = {};
    error_.struct_size = sizeof error_;
    error_.rank = -1;
    extra_.clear();
    const geeps_status status = Do(verb, words);
    std::string text = "= " + std::to_string(status) + " " + std::to_string(error_.rank) + " " +
                       std::to_string(error_.flags) + " " + std::to_string(error_.clock) + " " + error_.message + "\t" +
                       extra_;
    for (char& c : text) c = c == '\n' ? ' ' : c;
    return text;
  }

 private:
  static Pairs PairsOf(std::istringstream& words) {
    Pairs pairs;
    for (std::string word; words >> word;) {
      const size_t at = word.find('=');
      pairs.emplace_back(word.substr(0, at), at == std::string::npos ? "" : word.substr(at + 1));
    }
    return pairs;
  }
  static std::vector<geeps_kv> RawOf(const Pairs& pairs) {
    std::vector<geeps_kv> raw;
    for (const auto& [key, value] : pairs) raw.push_back({key.c_str(), value.c_str()});
    return raw;
  }

  geeps_status Do(const std::string& verb, std::istringstream& words) {
    if (verb == "create") return Create(words);
    if (verb == "table") return CreateTable(words);
    if (verb == "plan") return RecordPlan(words);
    if (verb == "start") return geeps_runtime_start(rt_, nullptr, &error_);
    if (verb == "fence") return geeps_fence(rt_, nullptr, &error_);
    if (verb == "shutdown") return geeps_runtime_shutdown(rt_, nullptr, &error_);
    if (verb == "commit") return Commit(words, nullptr);
    if (verb == "ask") return Ask(words);
    if (verb == "await") return Await(words);
    if (verb == "abort") {
      std::string text;
      std::getline(words >> std::ws, text);
      return geeps_runtime_abort(rt_, text.c_str(), &error_);
    }
    if (verb == "begin") return BeginPass(words);
    if (verb == "passes") return Passes(words);
    if (verb == "drop") {
      std::string name;
      words >> name;
      geeps_table_destroy(tables_[name]);
      return GEEPS_OK;
    }
    if (verb == "every") return Every();
    if (verb == "destroy") {
      geeps_runtime_destroy(rt_);
      rt_ = nullptr;
      return GEEPS_OK;
    }
    if (verb == "scenario") return LiveScenario(words);
    if (verb == "info" || verb == "stats" || verb == "count") return Look(verb);
    return Step(verb, words);
  }

  geeps_status Create(std::istringstream& words) {
    const Pairs pairs = PairsOf(words);
    const std::vector<geeps_kv> raw = RawOf(pairs);
    geeps_config config = {};
    config.struct_size = sizeof config;
    config.abi_version = GEEPS_ABI_VERSION;
    config.options = raw.data();
    config.num_options = raw.size();
    return geeps_runtime_create(&config, &rt_, &error_);
  }

  geeps_status CreateTable(std::istringstream& words) {
    std::string name, dtype;
    uint64_t rows = 0, values = 0;
    words >> name >> rows >> values >> dtype;
    const Pairs pairs = PairsOf(words);
    const std::vector<geeps_kv> raw = RawOf(pairs);
    geeps_table* table = nullptr;
    const geeps_status status =
        geeps_table_create(rt_, name.c_str(), rows, values, dtype == "f64" ? GEEPS_F64 : GEEPS_F32, raw.data(),
                           raw.size(), &table, &error_);
    if (status == GEEPS_OK) tables_[name] = table;
    return status;
  }

  geeps_status RecordPlan(std::istringstream& words) {
    std::string name;
    words >> name;
    RecordedOps recorded;
    geeps_status status = geeps_plan_create(rt_, name.c_str(), &recorded.plan, &error_);
    for (std::string word; status == GEEPS_OK && words >> word;) {
      if (word == "noclock") {
        recorded.no_clock = true;
        continue;
      }
      status = RecordTable(word, &recorded);
    }
    if (status == GEEPS_OK)
      status = geeps_plan_end(recorded.plan, recorded.no_clock ? GEEPS_PLAN_NO_CLOCK : 0, &error_);
    plans_[name] = recorded;
    return status;
  }

  geeps_status RecordTable(const std::string& word, RecordedOps* recorded) {
    geeps_rows rows = {0, GEEPS_TO_END};
    const size_t colon = word.find(':');
    if (colon != std::string::npos) {
      char* end = nullptr;
      rows.first = std::strtoull(word.c_str() + colon + 1, &end, 10);
      rows.count = std::strtoull(end + 1, nullptr, 10);
    }
    geeps_table* const table = tables_[word.substr(0, colon)];
    geeps_op op = 0;
    geeps_status status = geeps_plan_read(recorded->plan, table, &rows, 1, 0, 0, &op, &error_);
    if (status == GEEPS_OK) status = geeps_plan_post_read(recorded->plan, op, &error_);
    recorded->reads.push_back(op);
    if (status != GEEPS_OK) return status;
    if (recorded->no_clock) {
      recorded->updates.push_back(0);
      return status;
    }
    status = geeps_plan_pre_update(recorded->plan, table, &rows, 1, 0, &op, &error_);
    recorded->updates.push_back(op);
    return status == GEEPS_OK ? geeps_plan_update(recorded->plan, op, &error_) : status;
  }

  geeps_status Commit(std::istringstream& words, geeps_request** out) {
    std::vector<geeps_plan*> plans;
    for (std::string name; words >> name;) plans.push_back(plans_[name].plan);
    return geeps_commit(rt_, plans.data(), plans.size(), out, &error_);
  }

  geeps_status Ask(std::istringstream& words) {
    std::string verb;
    words >> verb;
    if (verb == "start") return geeps_runtime_start(rt_, &request_, &error_);
    if (verb == "commit") return Commit(words, &request_);
    if (verb == "fence") return geeps_fence(rt_, &request_, &error_);
    return verb == "shutdown" ? geeps_runtime_shutdown(rt_, &request_, &error_) : GEEPS_E_INVALID;
  }

  geeps_status Await(std::istringstream& words) {
    uint64_t limit_ns = GEEPS_NO_LIMIT;
    words >> limit_ns;
    const geeps_status status = geeps_request_wait(request_, words ? limit_ns : GEEPS_NO_LIMIT, &error_);
    const bool runs = status == GEEPS_AGAIN || (status == GEEPS_E_TIMEOUT && (error_.flags & GEEPS_ERROR_LATCHED) == 0);
    if (!runs) geeps_request_destroy(std::exchange(request_, nullptr));
    return status;
  }

  geeps_status BeginPass(std::istringstream& words) {
    std::string name;
    words >> name;
    current_ = plans_[name];
    return geeps_pass_begin(rt_, current_.plan, &error_);
  }

  // Steps of the first table of the plan begun.
  geeps_status Step(const std::string& verb, std::istringstream& words) {
    if (verb == "clock") return geeps_clock(rt_, nullptr, &error_);
    if (verb == "end") return geeps_pass_end(rt_, nullptr, &error_);
    if (current_.reads.empty()) return GEEPS_E_INVALID;
    if (verb == "read") {
      uint64_t limit_ns = GEEPS_NO_LIMIT;
      words >> limit_ns;
      return Read(0, words ? limit_ns : GEEPS_NO_LIMIT);
    }
    if (verb == "post") return geeps_post_read(rt_, current_.reads[0], nullptr, &error_);
    if (verb == "pre") return PreUpdate(0);
    if (verb == "update") {
      double value = 0;
      words >> value;
      return Update(0, value);
    }
    return GEEPS_E_INVALID;
  }

  geeps_status Read(size_t i, uint64_t limit_ns) {
    geeps_view view = {};
    view.struct_size = sizeof view;
    const geeps_status status = geeps_read(rt_, current_.reads[i], nullptr, limit_ns, &view, &error_);
    if (status != GEEPS_OK || view.data == nullptr) return status;
    const double first = view.dtype == GEEPS_F64 ? *static_cast<double*>(view.data) : *static_cast<float*>(view.data);
    std::ostringstream text;
    text << first;
    extra_ = text.str();
    return status;
  }

  geeps_status PreUpdate(size_t i) {
    view_ = {};
    view_.struct_size = sizeof view_;
    return geeps_pre_update(rt_, current_.updates[i], nullptr, GEEPS_NO_LIMIT, &view_, &error_);
  }

  geeps_status Update(size_t i, double value) {
    for (uint64_t k = 0; k < view_.num_rows * view_.row_values; ++k) {
      if (view_.dtype == GEEPS_F64) {
        static_cast<double*>(view_.data)[k] = value;
      } else {
        static_cast<float*>(view_.data)[k] = static_cast<float>(value);
      }
    }
    return geeps_update(rt_, current_.updates[i], nullptr, &error_);
  }

  geeps_status Passes(std::istringstream& words) {
    std::string name;
    uint64_t count = 0;
    double value = 0;
    words >> name >> count >> value;
    current_ = plans_[name];
    geeps_status status = GEEPS_OK;
    for (uint64_t n = 0; n < count && status == GEEPS_OK; ++n) status = OnePass(value);
    return status;
  }

  geeps_status OnePass(double value) {
    geeps_status status = geeps_pass_begin(rt_, current_.plan, &error_);
    for (size_t i = 0; i < current_.reads.size() && status == GEEPS_OK; ++i) {
      status = Read(i, GEEPS_NO_LIMIT);
      if (status == GEEPS_OK) status = geeps_post_read(rt_, current_.reads[i], nullptr, &error_);
      if (status != GEEPS_OK || current_.no_clock) continue;
      status = PreUpdate(i);
      if (status == GEEPS_OK) status = Update(i, value);
    }
    if (status != GEEPS_OK) return status;
    return current_.no_clock ? geeps_pass_end(rt_, nullptr, &error_) : geeps_clock(rt_, nullptr, &error_);
  }

  // Every function that takes the runtime or a child of it and may fail.
  geeps_status Every() {
    std::set<std::string> causes;
    geeps_status last = GEEPS_OK;
    const auto take = [&](const char* what, geeps_status status) {
      last = status;
      causes.insert(std::to_string(status) + " " + std::to_string(error_.rank) + " " + std::to_string(error_.flags) +
                    " " + std::to_string(error_.clock) + " " + error_.message);
      extra_ += causes.size() > 1 ? std::string(what) + ": " + *causes.rbegin() + "; " : "";
      error_ = {};
      error_.struct_size = sizeof error_;
    };
    geeps_view view = {};
    view.struct_size = sizeof view;
    const RecordedOps ops = plans_.empty() ? RecordedOps() : plans_.begin()->second;
    const geeps_op read = ops.reads.empty() ? 0 : ops.reads[0];
    geeps_table* table = nullptr;
    geeps_local* local = nullptr;
    geeps_plan* plan = nullptr;
    take("start", geeps_runtime_start(rt_, nullptr, &error_));
    take("fence", geeps_fence(rt_, nullptr, &error_));
    take("shutdown", geeps_runtime_shutdown(rt_, nullptr, &error_));
    take("commit", geeps_commit(rt_, &ops.plan, ops.plan == nullptr ? 0 : 1, nullptr, &error_));
    take("table_create", geeps_table_create(rt_, "new", 1, 1, GEEPS_F32, nullptr, 0, &table, &error_));
    take("local_create", geeps_local_create(rt_, "new", 1, 1, &local, &error_));
    take("plan_create", geeps_plan_create(rt_, "new", &plan, &error_));
    take("clock", geeps_clock(rt_, nullptr, &error_));
    take("pass_end", geeps_pass_end(rt_, nullptr, &error_));
    if (ops.plan != nullptr) {
      take("pass_begin", geeps_pass_begin(rt_, ops.plan, &error_));
      take("read", geeps_read(rt_, read, nullptr, 0, &view, &error_));
      take("post_read", geeps_post_read(rt_, read, nullptr, &error_));
      take("skip", geeps_skip(rt_, read, nullptr, &error_));
      take("pre_update", geeps_pre_update(rt_, ops.updates[0], nullptr, 0, &view, &error_));
      take("update", geeps_update(rt_, ops.updates[0], nullptr, &error_));
    }
    std::istringstream fields(*causes.begin());
    fields >> last >> error_.rank >> error_.flags >> error_.clock;
    std::string message;
    std::getline(fields >> std::ws, message);
    std::snprintf(error_.message, sizeof error_.message, "%s", message.c_str());
    return last;
  }

  geeps_status Look(const std::string& verb) {
    if (verb == "count") {
      extra_ = std::to_string(test::NumDescriptors()) + " " + std::to_string(test::NumThreads());
      return GEEPS_OK;
    }
    if (verb == "info") {
      geeps_info info = {};
      info.struct_size = sizeof info;
      const geeps_status status = geeps_runtime_get_info(rt_, &info, &error_);
      extra_ = std::to_string(info.clock) + " " + std::to_string(info.failure);
      return status;
    }
    std::string text(1 << 20, 0);
    uint64_t length = 0;
    const geeps_status status = geeps_runtime_get_stats(rt_, text.data(), text.size(), &length, &error_);
    extra_ = text.c_str();
    return status;
  }

  geeps_status LiveScenario(std::istringstream& words) {
    ScenarioOptions options;
    words >> options.seed >> options.world >> options.slack_max;
    geeps::Options own;
    for (const auto& [key, value] : PairsOf(words)) {
      own.Set(key, value);
      if (key == "rank") scenario_rank_ = static_cast<uint32_t>(std::stoul(value));
    }
    MeetingPoint nobody(1);
    Worker worker;
    worker.rank = scenario_rank_;
    worker.world = options.world;
    worker.meeting = &nobody;
    worker.rt = geeps::Runtime(own, worker.err);
    worker.rt.Start(worker.err);
    const Scenario scenario = MakeScenario(options);
    const Expected expected(scenario);
    if (worker.err.ok()) extra_ = WalkScenario(scenario, expected, worker);
    if (worker.err.ok() && extra_.empty()) worker.rt.Shutdown(worker.err);
    error_ = *worker.err.raw();
    return worker.err.ok() && !extra_.empty() ? GEEPS_E_DATA : worker.err.status();
  }

  geeps_runtime* rt_ = nullptr;
  geeps_request* request_ = nullptr;
  geeps_error error_ = {};
  std::string extra_;
  std::map<std::string, geeps_table*> tables_;
  std::map<std::string, RecordedOps> plans_;
  RecordedOps current_;
  geeps_view view_ = {};
  uint32_t scenario_rank_ = 0;
};

Interpreter::Interpreter() : impl_(std::make_unique<Impl>()) {}
Interpreter::~Interpreter() = default;
std::string Interpreter::Answer(const std::string& line) { return impl_->Answer(line); }

}  // namespace geeps::system_test
