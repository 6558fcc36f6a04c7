// SPDX-License-Identifier: Apache-2.0
#include "tests/oom/training.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace geeps::oom_test {
namespace {

constexpr uint64_t kRows = 40;
constexpr uint64_t kValues = 32;  // two partitions of 4096 bytes
constexpr uint64_t kModelRows = 12;
constexpr uint64_t kModelValues = 16;
constexpr geeps_rows kAll = {0, GEEPS_TO_END};
constexpr geeps_rows kSome[] = {{1, 3}, {9, 1}, {30, 4}};
constexpr uint64_t kNumSome = 8;
constexpr geeps_rows kModelTouched[] = {{0, 4}, {7, 2}};
constexpr geeps_rows kLocalRows = {0, 2};
constexpr geeps_rows kSet[] = {{0, 20}, {20, 20}};
constexpr float kSetValue = 1000;

geeps_view EmptyView() {
  geeps_view view;
  std::memset(&view, 0, sizeof view);
  view.struct_size = sizeof view;
  return view;
}

}  // namespace

bool Training::Declare() {
  std::vector<geeps_kv> counted = {{"rule", "add"}, {"partition_bytes", "4096"}};
  if (options_.mode != nullptr) counted.push_back({"mode", options_.mode});
  if (options_.read_my_writes) counted.push_back({"read_my_writes", "1"});
  std::vector<geeps_kv> model = {
      {"rule", options_.model_rule}, {"param.lr", "0.125"}, {"init", "uniform:-1:1"}, {"seed", "7"}};
  if (options_.last_observes) model.push_back({"observer", Observes() ? "1" : "0"});
  const auto table = [&](const char* name, uint64_t rows, uint64_t values, uint32_t dtype,
                         const std::vector<geeps_kv>& options, geeps_table** out) {
    return w_->Call("geeps_table_create",
                    [&](geeps_error* e) {
                      return geeps_table_create(w_->rt(), name, rows, values, dtype, options.data(), options.size(),
                                                out, e);
                    },
                    {{out, sizeof *out}});
  };
  return table("counted", kRows, kValues, GEEPS_F32, counted, &counted_) &&
         table("model", kModelRows, kModelValues, options_.model_dtype, model, &model_) &&
         w_->Call("geeps_local_create",
                  [&](geeps_error* e) { return geeps_local_create(w_->rt(), "activations", 4, 64, &local_, e); },
                  {{&local_, sizeof local_}}) &&
         RecordTrain("train") && RecordLook();
}

bool Training::RecordTrain(const char* name) {
  const auto operation = [&](const char* what, geeps_op* op, const auto& begin, const auto& end) {
    return w_->Call(what, [&](geeps_error* e) { return begin(op, e); }, {{op, sizeof *op}}) &&
           w_->Call(what, [&](geeps_error* e) { return end(train_, *op, e); });
  };
  const auto read = [&](geeps_table* table, const geeps_rows* rows, uint64_t runs, uint32_t slack, uint32_t flags,
                        geeps_op* op) {
    return operation(
        "geeps_plan_read", op,
        [&](geeps_op* o, geeps_error* e) { return geeps_plan_read(train_, table, rows, runs, slack, flags, o, e); },
        geeps_plan_post_read);
  };
  const auto update = [&](geeps_table* table, const geeps_rows* rows, uint64_t runs, uint32_t flags, geeps_op* op) {
    return operation(
        "geeps_plan_pre_update", op,
        [&](geeps_op* o, geeps_error* e) { return geeps_plan_pre_update(train_, table, rows, runs, flags, o, e); },
        geeps_plan_update);
  };
  return w_->Call("geeps_plan_create", [&](geeps_error* e) { return geeps_plan_create(w_->rt(), name, &train_, e); },
                  {{&train_, sizeof train_}}) &&
         read(counted_, &kAll, 1, options_.slack, 0, &read_all_) &&
         read(counted_, kSome, 3, options_.slack, GEEPS_READ_COPY, &read_some_) &&
         read(model_, &kAll, 1, 0, 0, &read_model_) &&
         operation(
             "geeps_plan_access_local", &use_local_,
             [&](geeps_op* o, geeps_error* e) {
               return geeps_plan_access_local(train_, local_, &kLocalRows, 1, GEEPS_LOCAL_KEEP, o, e);
             },
             geeps_plan_post_local) &&
         update(counted_, &kAll, 1, GEEPS_UPDATE_ZEROED, &add_) &&
         (Observes() || update(model_, kModelTouched, 2, options_.skips ? GEEPS_OP_OPTIONAL : 0, &learn_)) &&
         w_->Call("geeps_plan_end", [&](geeps_error* e) { return geeps_plan_end(train_, 0, e); });
}

bool Training::RecordLook() {
  return w_->Call("geeps_plan_create", [&](geeps_error* e) { return geeps_plan_create(w_->rt(), "look", &look_, e); },
                  {{&look_, sizeof look_}}) &&
         w_->Call("geeps_plan_read",
                  [&](geeps_error* e) {
                    return geeps_plan_read(look_, counted_, kSome, 3, 0, GEEPS_OP_OPTIONAL, &look_read_, e);
                  },
                  {{&look_read_, sizeof look_read_}}) &&
         w_->Call("geeps_plan_post_read", [&](geeps_error* e) { return geeps_plan_post_read(look_, look_read_, e); }) &&
         w_->Call("geeps_plan_end", [&](geeps_error* e) { return geeps_plan_end(look_, GEEPS_PLAN_NO_CLOCK, e); });
}

bool Training::Commit(bool by_request) {
  geeps_plan* const plans[] = {train_, look_};
  return w_->Long("geeps_commit", by_request,
                  [&](geeps_request** r, geeps_error* e) { return geeps_commit(w_->rt(), plans, 2, r, e); });
}

bool Training::Read(geeps_op op, bool counted, uint64_t num_rows) {
  geeps_view view = EmptyView();
  const auto read = [&](geeps_error* e) {
    return geeps_read(w_->rt(), op, nullptr, options_.polled ? 0 : GEEPS_NO_LIMIT, &view, e);
  };
  if (!(options_.polled ? w_->Polled("geeps_read", read, {{&view, sizeof view}})
                        : w_->Call("geeps_read", read, {{&view, sizeof view}}))) {
    return false;
  }
  bool good = w_->Check(view.num_rows == num_rows, "a view has another number of rows than its operation");
  const bool exact = counted && options_.mode == nullptr && !options_.read_my_writes;
  for (uint64_t i = 0; good && exact && i < view.num_rows * view.row_values; ++i) {
    const float value = static_cast<const float*>(view.data)[i];
    const float newest = base_ + static_cast<float>((clock_ - base_clock_) * w_->world());
    const float oldest =
        newest - static_cast<float>(std::min<uint64_t>(options_.slack, clock_ - base_clock_) * w_->world());
    good = w_->Check(value >= oldest && value <= newest, "a read shows a value that it must not have");
  }
  return good && w_->Call("geeps_post_read", [&](geeps_error* e) { return geeps_post_read(w_->rt(), op, nullptr, e); });
}

bool Training::Update(geeps_op op, float value) {
  geeps_view view = EmptyView();
  if (!w_->Call("geeps_pre_update",
                [&](geeps_error* e) { return geeps_pre_update(w_->rt(), op, nullptr, 5000000000, &view, e); },
                {{&view, sizeof view}})) {
    return false;
  }
  if (view.dtype == GEEPS_F32) {
    for (uint64_t i = 0; i < view.num_rows * view.row_values; ++i) static_cast<float*>(view.data)[i] = value;
  } else {
    std::memset(view.data, 0, view.bytes);
  }
  return w_->Call("geeps_update", [&](geeps_error* e) { return geeps_update(w_->rt(), op, nullptr, e); });
}

bool Training::Pass() {
  geeps_view view = EmptyView();
  const bool skip = options_.skips && w_->rank() % 2 == 1 && clock_ % 2 == 1;
  return Read(read_all_, true, kRows) && Read(read_some_, true, kNumSome) && Read(read_model_, false, kModelRows) &&
         w_->Call("geeps_access_local",
                  [&](geeps_error* e) { return geeps_access_local(w_->rt(), use_local_, nullptr, 0, &view, e); },
                  {{&view, sizeof view}}) &&
         w_->Call("geeps_post_local",
                  [&](geeps_error* e) { return geeps_post_local(w_->rt(), use_local_, nullptr, e); }) &&
         Update(add_, 1) &&
         (Observes() ||
          (skip ? w_->Call("geeps_skip", [&](geeps_error* e) { return geeps_skip(w_->rt(), learn_, nullptr, e); })
                : Update(learn_, 0.5f)));
}

bool Training::Train(int clocks) {
  if (!w_->Call("geeps_pass_begin", [&](geeps_error* e) { return geeps_pass_begin(w_->rt(), train_, e); }))
    return false;
  for (int i = 0; i < clocks; ++i) {
    if (i == 1 && !Observes() && !w_->Call("geeps_table_set_param", [&](geeps_error* e) {
          return geeps_table_set_param(model_, "lr", 0.0625, e);
        })) {
      return false;
    }
    geeps_plan* const next = i + 1 < clocks ? train_ : nullptr;
    if (!Pass() || !w_->Call("geeps_clock", [&](geeps_error* e) { return geeps_clock(w_->rt(), next, e); }))
      return false;
    ++clock_;
  }
  return true;
}

bool Training::Look() {
  return w_->Call("geeps_pass_begin", [&](geeps_error* e) { return geeps_pass_begin(w_->rt(), look_, e); }) &&
         (w_->rank() == 1
              ? w_->Call("geeps_skip", [&](geeps_error* e) { return geeps_skip(w_->rt(), look_read_, nullptr, e); })
              : Read(look_read_, true, kNumSome)) &&
         w_->Call("geeps_pass_end", [&](geeps_error* e) { return geeps_pass_end(w_->rt(), nullptr, e); });
}

bool Training::SetAndGet() {
  const std::vector<float> values(kRows * kValues, kSetValue);
  const uint64_t bytes = values.size() * sizeof(float);
  if (w_->rank() == 0 && !w_->Call("geeps_table_set", [&](geeps_error* e) {
        return geeps_table_set(counted_, kSet, 2, 0, values.data(), bytes, e);
      })) {
    return false;
  }
  if (!w_->Long("geeps_fence", w_->rank() == 1,
                [&](geeps_request** r, geeps_error* e) { return geeps_fence(w_->rt(), r, e); })) {
    return false;
  }
  base_ = kSetValue;
  base_clock_ = clock_;
  std::vector<float> got(kSome[0].count * kValues);
  uint64_t age = 0;
  const auto get = [&](geeps_request** r, geeps_error* e) {
    return geeps_table_get(counted_, kSome, 1, GEEPS_AGE_NOW, got.data(), got.size() * sizeof(float), &age, r, e);
  };
  geeps_request* dropped = nullptr;
  if (!w_->Call("geeps_table_get", [&](geeps_error* e) { return get(&dropped, e); }, {{&dropped, sizeof dropped}})) {
    return false;
  }
  w_->Do("geeps_request_destroy", [&] { geeps_request_destroy(dropped); });
  for (const bool by_request : {true, false}) {
    got.assign(got.size(), 0);
    if (!w_->Long("geeps_table_get", by_request, get)) return false;
    for (const float value : got) {
      const bool exact = options_.mode == nullptr;  // the others may be training again
      if (!w_->Check(value == kSetValue || !exact, "a get shows something else than what was set")) return false;
    }
  }
  return true;
}

bool Training::CheckText(const char* what,
                         const std::function<geeps_status(char*, uint64_t, uint64_t*, geeps_error*)>& call,
                         const char* part) {
  uint64_t length = 0;
  std::vector<char> text(1 << 18);
  return w_->Call(what, [&](geeps_error* e) { return call(nullptr, 0, &length, e); }, {{&length, sizeof length}}) &&
         w_->Call(what, [&](geeps_error* e) { return call(text.data(), text.size(), &length, e); },
                  {{&length, sizeof length}}) &&
         w_->Check(std::strstr(text.data(), part) != nullptr, "a text does not hold what it is about");
}

bool Training::Ask() {
  bool good = CheckText(
      "geeps_runtime_get_stats",
      [&](char* buf, uint64_t cap, uint64_t* length, geeps_error* e) {
        return geeps_runtime_get_stats(w_->rt(), buf, cap, length, e);
      },
      "counted");
  for (const char* format : {"text", "json"}) {
    good = good && CheckText(
                       "geeps_plan_explain",
                       [&](char* buf, uint64_t cap, uint64_t* length, geeps_error* e) {
                         return geeps_plan_explain(train_, format, buf, cap, length, e);
                       },
                       "counted");
  }
  bool more = w_->rank() == 0;  // the others have a callback
  while (good && more) {
    int32_t level = 0;
    std::vector<char> line(4096);
    uint64_t length = 0;
    good = w_->Call("geeps_log_take",
                    [&](geeps_error* e) {
                      const geeps_status status =
                          geeps_log_take(w_->rt(), &level, line.data(), line.size(), &length, e);
                      if (status == GEEPS_AGAIN) more = false;
                      return status == GEEPS_AGAIN ? GEEPS_OK : status;
                    },
                    {{&level, sizeof level}, {&length, sizeof length}});
  }
  return good;
}

bool Training::Replace() {
  w_->Do("geeps_plan_destroy", [&] { geeps_plan_destroy(train_); });
  w_->Do("geeps_local_destroy", [&] { geeps_local_destroy(local_); });
  w_->Do("geeps_table_destroy", [&] { geeps_table_destroy(model_); });
  const std::vector<geeps_kv> model = {
      {"rule", "sgd"}, {"param.lr", "0.125"}, {"param.momentum", "0.5"}, {"reduce", "mean"}};
  const bool made =
      w_->Call("geeps_table_create",
               [&](geeps_error* e) {
                 return geeps_table_create(w_->rt(), "second model", kModelRows, kModelValues, GEEPS_F32, model.data(),
                                           model.size(), &model_, e);
               },
               {{&model_, sizeof model_}}) &&
      w_->Call("geeps_local_create",
               [&](geeps_error* e) { return geeps_local_create(w_->rt(), "scratch", 2, 128, &local_, e); },
               {{&local_, sizeof local_}});
  return made && RecordTrain("train again");
}

}  // namespace geeps::oom_test
