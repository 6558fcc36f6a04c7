// SPDX-License-Identifier: Apache-2.0
// geeps.hpp - geeps.h for C++11 and later: owners for the handles, sets of rows, and the walker. Header only, no
// exceptions.
//
//   geeps::Error err;
//   geeps::Runtime rt(geeps::Options{{"launcher", "geeps"}}, err);
//   rt.Start(err);
//   geeps::Table table(rt, "weights", 10, 4, GEEPS_F32, {{"rule", "add"}}, err);
//   auto pass = [&](geeps::Walker& w) {
//     geeps::Access weights = w.Read(table, geeps::Rows::All(), 0);
//     if (w.live()) Use(weights.data<float>(), weights.view().num_rows);
//     w.PostRead(weights);
//   };
//   geeps::Walker train(rt, "train", err);
//   train.Record(pass);
//   rt.Commit({train.plan()}, err);
//   while (more) train.Walk(pass);
//   if (!err.ok()) fprintf(stderr, "%s\n", err.message());
//
// Errors    Every call takes an Error, or keeps a reference to the one it was made with, and does nothing when that
//           holds a failure: a program checks where it suits it, and sees the first failure. A limit that passes is no
//           failure, unless the runtime is lost with it (start_limit_s).
// Threads   As in geeps.h; an Error is used by one thread at a time. Owners are moved, not copied; none may outlive its
//           runtime in use, but destroying one after its runtime does nothing.
#ifndef GEEPS_HPP
#define GEEPS_HPP

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "geeps.h"

namespace geeps {
inline namespace cpp {  // names of their own in the object files, whatever the program links

// The first failure of a series of calls.
class Error {
 public:
  Error() {
    std::memset(&error_, 0, sizeof error_);
    error_.struct_size = sizeof error_;
    error_.rank = -1;
  }

  bool ok() const { return status_ == GEEPS_OK; }
  geeps_status status() const { return status_; }
  const char* status_name() const { return geeps_status_name(status_); }
  const char* message() const { return error_.message; }
  int rank() const { return error_.rank; }
  uint64_t clock() const { return error_.clock; }
  bool latched() const { return (error_.flags & GEEPS_ERROR_LATCHED) != 0; }
  void Clear() { *this = Error(); }

  // Takes in the status of a call that was given raw(); returns it.
  geeps_status Take(geeps_status status) {
    if (status < 0 && (status != GEEPS_E_TIMEOUT || latched())) status_ = status;
    return status;
  }
  // A failure found by the program itself.
  geeps_status Fail(geeps_status status, const std::string& text) {
    if (!ok()) return status_;
    status_ = error_.code = status;
    std::snprintf(error_.message, sizeof error_.message, "%s", text.c_str());
    return status;
  }
  geeps_error* raw() { return &error_; }

 private:
  geeps_error error_;
  geeps_status status_ = GEEPS_OK;
};

// Keys and values for a call.
class Options {
 public:
  Options() = default;
  Options(std::initializer_list<std::pair<std::string, std::string>> pairs) : pairs_(pairs) {}
  Options& Set(const std::string& key, const std::string& value) {
    pairs_.emplace_back(key, value);
    return *this;
  }
  std::vector<geeps_kv> raw() const {  // valid until the next change
    std::vector<geeps_kv> out;
    for (const auto& pair : pairs_) out.push_back(geeps_kv{pair.first.c_str(), pair.second.c_str()});
    return out;
  }

 private:
  std::vector<std::pair<std::string, std::string>> pairs_;
};

// A set of rows in the form that plans want: runs, ascending, disjoint, as few as possible.
class Rows {
 public:
  Rows() = default;  // no rows
  static Rows All() { return Range(0, GEEPS_TO_END); }
  static Rows Range(uint64_t first, uint64_t count) {
    Rows rows;
    if (count > 0) rows.runs_.push_back(geeps_rows{first, count});
    return rows;
  }
  // Ids in any order, repeated or not.
  static Rows FromIds(std::vector<uint64_t> ids) {
    Rows rows;
    std::sort(ids.begin(), ids.end());
    for (uint64_t id : ids) rows.Append(id, 1);
    return rows;
  }
  // Runs in any order, overlapping or not; none may reach GEEPS_TO_END.
  static Rows FromRuns(std::vector<geeps_rows> runs) {
    Rows rows;
    std::sort(runs.begin(), runs.end(), [](const geeps_rows& a, const geeps_rows& b) { return a.first < b.first; });
    for (const geeps_rows& run : runs) rows.Append(run.first, run.count);
    return rows;
  }
  const geeps_rows* data() const { return runs_.data(); }
  uint64_t size() const { return runs_.size(); }
  uint64_t count() const {  // rows; not for All()
    uint64_t n = 0;
    for (const geeps_rows& run : runs_) n += run.count;
    return n;
  }

 private:
  void Append(uint64_t first, uint64_t count) {  // REQUIRES: first is not before the last run's
    if (count == 0) return;
    if (!runs_.empty() && first <= runs_.back().first + runs_.back().count) {
      const uint64_t end = std::max(runs_.back().first + runs_.back().count, first + count);
      runs_.back().count = end - runs_.back().first;
    } else {
      runs_.push_back(geeps_rows{first, count});
    }
  }
  std::vector<geeps_rows> runs_;
};

namespace internal {
template <typename T, void (*kDestroy)(T*)>
struct Destroyer {
  void operator()(T* object) const { kDestroy(object); }
};
template <typename T, void (*kDestroy)(T*)>
using Owner = std::unique_ptr<T, Destroyer<T, kDestroy>>;

// Text out, in two calls: how long, then the text. fn(buf, cap, &len) returns a status.
template <typename Fn>
std::string TakeText(Error& err, Fn fn) {
  std::string text;
  uint64_t length = 0;
  if (!err.ok() || err.Take(fn(nullptr, 0, &length)) != GEEPS_OK) return text;
  while (text.size() < length) {  // it may have grown since it was measured
    text.resize(length);
    if (err.Take(fn(&text[0], text.size(), &length)) != GEEPS_OK) return std::string();
  }
  text.resize(length > 0 ? length - 1 : 0);
  return text;
}
}  // namespace internal

// A long call under way.
class Request {
 public:
  explicit Request(geeps_request* raw = nullptr) : owner_(raw) {}
  geeps_status Wait(uint64_t limit_ns, Error& err) {
    return err.ok() ? err.Take(geeps_request_wait(owner_.get(), limit_ns, err.raw())) : err.status();
  }
  int32_t event_fd(Error& err) {
    int32_t fd = -1;
    if (err.ok()) err.Take(geeps_request_get_event_fd(owner_.get(), &fd, err.raw()));
    return fd;
  }

 private:
  internal::Owner<geeps_request, geeps_request_destroy> owner_;
};

// One worker.
class Runtime {
 public:
  Runtime() = default;
  Runtime(const Options& options, Error& err, void (*log)(void*, int32_t, const char*, const char*, uint64_t) = nullptr,
          void* log_user = nullptr) {
    if (!err.ok()) return;
    const std::vector<geeps_kv> pairs = options.raw();
    geeps_config config;
    std::memset(&config, 0, sizeof config);
    config.struct_size = sizeof config;
    config.abi_version = GEEPS_ABI_VERSION;
    config.options = pairs.data();
    config.num_options = pairs.size();
    config.log = log;
    config.log_user = log_user;
    geeps_runtime* raw = nullptr;
    err.Take(geeps_runtime_create(&config, &raw, err.raw()));
    owner_.reset(raw);
  }

  geeps_runtime* get() const { return owner_.get(); }

  // Long calls: these wait for the end; those named Begin... hand out the request.
  void Start(Error& err) {
    Long(err, [&](geeps_request** r) { return geeps_runtime_start(get(), r, err.raw()); });
  }
  void Fence(Error& err) {
    Long(err, [&](geeps_request** r) { return geeps_fence(get(), r, err.raw()); });
  }
  void Shutdown(Error& err) {
    Long(err, [&](geeps_request** r) { return geeps_runtime_shutdown(get(), r, err.raw()); });
  }
  void Commit(const std::vector<geeps_plan*>& plans, Error& err) {
    Long(err, [&](geeps_request** r) { return geeps_commit(get(), plans.data(), plans.size(), r, err.raw()); });
  }
  Request BeginStart(Error& err) {
    return Begin(err, [&](geeps_request** r) { return geeps_runtime_start(get(), r, err.raw()); });
  }
  Request BeginFence(Error& err) {
    return Begin(err, [&](geeps_request** r) { return geeps_fence(get(), r, err.raw()); });
  }
  Request BeginShutdown(Error& err) {
    return Begin(err, [&](geeps_request** r) { return geeps_runtime_shutdown(get(), r, err.raw()); });
  }
  Request BeginCommit(const std::vector<geeps_plan*>& plans, Error& err) {
    return Begin(err, [&](geeps_request** r) { return geeps_commit(get(), plans.data(), plans.size(), r, err.raw()); });
  }

  int32_t event_fd(Error& err) {
    int32_t fd = -1;
    if (err.ok()) err.Take(geeps_runtime_get_event_fd(get(), &fd, err.raw()));
    return fd;
  }
  void Abort(const char* text) { geeps_runtime_abort(get(), text, nullptr); }

  geeps_info info(Error& err) const {
    geeps_info out;
    std::memset(&out, 0, sizeof out);
    out.struct_size = sizeof out;
    if (err.ok()) err.Take(geeps_runtime_get_info(get(), &out, err.raw()));
    return out;
  }
  std::string stats(Error& err) const {
    return internal::TakeText(err, [&](char* buf, uint64_t cap, uint64_t* len) {
      return geeps_runtime_get_stats(get(), buf, cap, len, err.raw());
    });
  }

  void LoadPlugin(const char* name_or_path, Error& err) {
    if (err.ok()) err.Take(geeps_plugin_load(get(), name_or_path, err.raw()));
  }
  // The table of functions of a loaded plugin and the host to pass to it; NULL after a failure.
  template <typename Api>
  const Api* GetInterface(const char* plugin, const char* id, const geeps_host** host, Error& err) {
    const void* table = nullptr;
    if (err.ok()) err.Take(geeps_plugin_get_interface(get(), plugin, id, &table, host, err.raw()));
    return static_cast<const Api*>(table);
  }

 private:
  template <typename Fn>
  static void Long(Error& err, Fn fn) {
    if (err.ok()) err.Take(fn(nullptr));
  }
  template <typename Fn>
  static Request Begin(Error& err, Fn fn) {
    geeps_request* raw = nullptr;
    if (err.ok()) err.Take(fn(&raw));
    return Request(raw);
  }
  internal::Owner<geeps_runtime, geeps_runtime_destroy> owner_;
};

class Table {
 public:
  Table() = default;
  Table(const Runtime& rt, const char* name, uint64_t num_rows, uint64_t row_values, uint32_t dtype,
        const Options& options, Error& err) {
    if (!err.ok()) return;
    const std::vector<geeps_kv> pairs = options.raw();
    geeps_table* raw = nullptr;
    err.Take(
        geeps_table_create(rt.get(), name, num_rows, row_values, dtype, pairs.data(), pairs.size(), &raw, err.raw()));
    owner_.reset(raw);
  }
  void SetParam(const char* key, double value, Error& err) {
    if (err.ok()) err.Take(geeps_table_set_param(get(), key, value, err.raw()));
  }
  // values: as many as the rows have, of the table's dtype.
  template <typename T>
  void Set(const Rows& rows, const std::vector<T>& values, Error& err, uint32_t flags = 0) {
    if (!err.ok()) return;
    err.Take(
        geeps_table_set(get(), rows.data(), rows.size(), flags, values.data(), values.size() * sizeof(T), err.raw()));
  }
  // Waits. Returns the smallest version among the partitions.
  template <typename T>
  uint64_t Get(const Rows& rows, std::vector<T>* values, Error& err, uint64_t min_age = GEEPS_AGE_NOW) {
    uint64_t age = 0;
    if (!err.ok()) return age;
    err.Take(geeps_table_get(get(), rows.data(), rows.size(), min_age, values->data(), values->size() * sizeof(T), &age,
                             nullptr, err.raw()));
    return age;
  }
  geeps_table* get() const { return owner_.get(); }

 private:
  internal::Owner<geeps_table, geeps_table_destroy> owner_;
};

class Local {
 public:
  Local() = default;
  Local(const Runtime& rt, const char* name, uint64_t num_rows, uint64_t row_bytes, Error& err) {
    geeps_local* raw = nullptr;
    if (err.ok()) err.Take(geeps_local_create(rt.get(), name, num_rows, row_bytes, &raw, err.raw()));
    owner_.reset(raw);
  }
  geeps_local* get() const { return owner_.get(); }

 private:
  internal::Owner<geeps_local, geeps_local_destroy> owner_;
};

// One recorded pass, call by call. A Walker does it from the loop itself.
class Plan {
 public:
  Plan() = default;
  Plan(const Runtime& rt, const char* name, Error& err) {
    geeps_plan* raw = nullptr;
    if (err.ok()) err.Take(geeps_plan_create(rt.get(), name, &raw, err.raw()));
    owner_.reset(raw);
  }
  geeps_plan* get() const { return owner_.get(); }

  geeps_op Read(const Table& t, const Rows& rows, uint32_t slack, uint32_t flags, Error& err) {
    geeps_op op = 0;
    if (err.ok()) err.Take(geeps_plan_read(get(), t.get(), rows.data(), rows.size(), slack, flags, &op, err.raw()));
    return op;
  }
  geeps_op PreUpdate(const Table& t, const Rows& rows, uint32_t flags, Error& err) {
    geeps_op op = 0;
    if (err.ok()) err.Take(geeps_plan_pre_update(get(), t.get(), rows.data(), rows.size(), flags, &op, err.raw()));
    return op;
  }
  geeps_op AccessLocal(const Local& l, const Rows& rows, uint32_t flags, Error& err) {
    geeps_op op = 0;
    if (err.ok()) err.Take(geeps_plan_access_local(get(), l.get(), rows.data(), rows.size(), flags, &op, err.raw()));
    return op;
  }
  void PostRead(geeps_op op, Error& err) {
    if (err.ok()) err.Take(geeps_plan_post_read(get(), op, err.raw()));
  }
  void Update(geeps_op op, Error& err) {
    if (err.ok()) err.Take(geeps_plan_update(get(), op, err.raw()));
  }
  void PostLocal(geeps_op op, Error& err) {
    if (err.ok()) err.Take(geeps_plan_post_local(get(), op, err.raw()));
  }
  void End(uint32_t flags, Error& err) {
    if (err.ok()) err.Take(geeps_plan_end(get(), flags, err.raw()));
  }
  std::string Explain(const char* format, Error& err) const {
    return internal::TakeText(err, [&](char* buf, uint64_t cap, uint64_t* len) {
      return geeps_plan_explain(get(), format, buf, cap, len, err.raw());
    });
  }

 private:
  internal::Owner<geeps_plan, geeps_plan_destroy> owner_;
};

// What a read, an update or local data hands out, until it is handed back.
class Access {
 public:
  Access() {
    std::memset(&view_, 0, sizeof view_);
    view_.struct_size = sizeof view_;
  }
  template <typename T>
  T* data() const {  // NULL while recording and after a failure
    return static_cast<T*>(view_.data);
  }
  const geeps_view& view() const { return view_; }
  geeps_op op() const { return op_; }

 private:
  friend class Walker;
  geeps_view view_;
  geeps_op op_ = 0;
};

// A plan and the walk through it, from one function: a body, called as body(walker), makes the calls of a pass in their
// order. Record calls it once to write them down, Walk calls it once per pass. It must make the same calls each time;
// what it does with the memory stands behind `if (w.live())`.
class Walker {
 public:
  Walker(const Runtime& rt, const char* name, Error& err)
      : rt_(rt.get()), name_(name), err_(&err), plan_(rt, name, err) {}

  geeps_plan* plan() const { return plan_.get(); }
  Plan& recorded() { return plan_; }
  bool recording() const { return state_ == kRecording; }
  bool live() const { return state_ == kWalking && err_->ok(); }  // the views hold memory
  uint64_t wait_ns() const { return wait_ns_; }                   // time in which the walks so far waited
  Error& error() const { return *err_; }

  // In whose order memory is used from now on, and how long a call may wait; it is a failure when that is over.
  void set_stream(const geeps_stream& stream) { stream_ = stream, has_stream_ = true; }
  void set_limit(uint64_t limit_ns) { limit_ns_ = limit_ns; }

  // flags: GEEPS_PLAN_NO_CLOCK.
  template <typename Body>
  void Record(Body&& body, uint32_t flags = 0) {
    no_clock_ = (flags & GEEPS_PLAN_NO_CLOCK) != 0;
    state_ = kRecording;
    body(*this);
    state_ = kIdle;
    plan_.End(flags, *err_);
  }

  // One pass; after Commit. next: the walker whose pass begins at once, when that is known: its Walk must be the next
  // one.
  template <typename Body>
  void Walk(Body&& body, Walker* next = nullptr) {
    if (!err_->ok()) return;
    if (!begun_ && err_->Take(geeps_pass_begin(rt_, plan(), err_->raw())) != GEEPS_OK) return;
    begun_ = false;
    state_ = kWalking;
    next_ = 0;
    body(*this);
    state_ = kIdle;
    if (!err_->ok()) return;
    geeps_plan* next_plan = next != nullptr ? next->plan() : nullptr;
    err_->Take(no_clock_ ? geeps_pass_end(rt_, next_plan, err_->raw()) : geeps_clock(rt_, next_plan, err_->raw()));
    if (next != nullptr) next->begun_ = err_->ok();
  }

  Access Read(const Table& t, const Rows& rows, uint32_t slack, uint32_t flags = 0) {
    return Open(kRead, t.get(), geeps_read, [&] { return plan_.Read(t, rows, slack, flags, *err_); });
  }
  Access PreUpdate(const Table& t, const Rows& rows, uint32_t flags = 0) {
    return Open(kUpdate, t.get(), geeps_pre_update, [&] { return plan_.PreUpdate(t, rows, flags, *err_); });
  }
  Access AccessLocal(const Local& l, const Rows& rows, uint32_t flags = 0) {
    return Open(kLocal, l.get(), geeps_access_local, [&] { return plan_.AccessLocal(l, rows, flags, *err_); });
  }
  void PostRead(const Access& a) {
    if (recording()) plan_.PostRead(a.op(), *err_);
    if (live()) err_->Take(geeps_post_read(rt_, a.op(), stream(), err_->raw()));
  }
  void Update(const Access& a) {
    if (recording()) plan_.Update(a.op(), *err_);
    if (live()) err_->Take(geeps_update(rt_, a.op(), stream(), err_->raw()));
  }
  void PostLocal(const Access& a) {
    if (recording()) plan_.PostLocal(a.op(), *err_);
    if (live()) err_->Take(geeps_post_local(rt_, a.op(), stream(), err_->raw()));
  }

  // For operations recorded with GEEPS_OP_OPTIONAL, while walking: leaves out the next operation, both its calls ...
  void SkipNext() {
    if (!live()) return;
    if (next_ == entries_.size()) {
      err_->Fail(GEEPS_E_STATE, "plan '" + name_ + "' has no operation left to skip");
    } else {
      err_->Take(geeps_skip(rt_, entries_[next_++].op, stream(), err_->raw()));
    }
  }
  // ... or hands an open one back unused.
  void Skip(const Access& a) {
    if (live()) err_->Take(geeps_skip(rt_, a.op(), stream(), err_->raw()));
  }

 private:
  enum State { kIdle, kRecording, kWalking };
  enum Kind { kRead, kUpdate, kLocal };
  struct Entry {
    Kind kind;
    const void* object;
    geeps_op op;
  };
  typedef geeps_status (*OpenFn)(geeps_runtime*, geeps_op, const geeps_stream*, uint64_t, geeps_view*, geeps_error*);

  const geeps_stream* stream() const { return has_stream_ ? &stream_ : nullptr; }

  template <typename RecordFn>
  Access Open(Kind kind, const void* object, OpenFn open, RecordFn record) {
    Access access;
    if (recording()) {
      access.op_ = record();
      entries_.push_back(Entry{kind, object, access.op_});
    }
    if (!live()) return access;
    if (next_ == entries_.size() || entries_[next_].kind != kind || entries_[next_].object != object) {
      err_->Fail(GEEPS_E_STATE, "the walk of plan '" + name_ + "' differs from its recording at operation " +
                                    std::to_string(next_) + " of " + std::to_string(entries_.size()));
      return access;
    }
    access.op_ = entries_[next_++].op;
    // The clock is read only when something is not there yet.
    geeps_status status = err_->Take(open(rt_, access.op_, stream(), 0, &access.view_, err_->raw()));
    if (status == GEEPS_AGAIN) {
      const auto begin = std::chrono::steady_clock::now();
      status = err_->Take(open(rt_, access.op_, stream(), limit_ns_, &access.view_, err_->raw()));
      wait_ns_ += static_cast<uint64_t>(
          std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - begin).count());
    }
    if (status == GEEPS_E_TIMEOUT || status == GEEPS_AGAIN) {
      err_->Fail(GEEPS_E_TIMEOUT, "plan '" + name_ + "' waited " + std::to_string(limit_ns_) + " ns for operation " +
                                      std::to_string(next_ - 1));
    }
    return access;
  }

  geeps_runtime* rt_;
  std::string name_;
  Error* err_;
  Plan plan_;
  State state_ = kIdle;
  bool no_clock_ = false;
  bool begun_ = false;  // by the walk before
  bool has_stream_ = false;
  geeps_stream stream_ = {};
  uint64_t limit_ns_ = GEEPS_NO_LIMIT;
  uint64_t wait_ns_ = 0;
  size_t next_ = 0;
  std::vector<Entry> entries_;
};

}  // namespace cpp
}  // namespace geeps

#endif  // GEEPS_HPP
