// SPDX-License-Identifier: Apache-2.0
// Situation: a worker that has been brought to one point of its life, with right arguments for every function of
// geeps.h at hand. A test spoils one argument, or makes the call at another point, and looks at the status, the text,
// and that nothing was written. Thread contract: one thread.
#ifndef GEEPS_TESTS_MISUSE_SITUATION_H_
#define GEEPS_TESTS_MISUSE_SITUATION_H_

#include <cstdint>
#include <string>
#include <vector>

#include "geeps.h"
#include "geeps_plugin.h"

namespace geeps::misuse_test {

// Where in its life a worker stands. The plan "train" has eight calls; kTrain0 + i: call i is due, kTrain8: all are
// made.
enum Stage {
  kCreated,
  kStarted,
  kCommitted,
  kTrain0,  // read
  kTrain1,  // post_read
  kTrain2,  // pre_update
  kTrain3,  // update
  kTrain4,  // access_local
  kTrain5,  // post_local
  kTrain6,  // read of the optional operation
  kTrain7,  // its post_read
  kTrain8,
  kLook0,  // a pass without clock: read
  kLook1,  // post_read
  kShutDown,
  kAborted,
  kNumStages,
};
const char* NameOf(Stage stage);

// Every place that a function may write to.
struct Outputs {
  geeps_runtime* rt;
  geeps_request* req;
  geeps_table* table;
  geeps_local* local;
  geeps_plan* plan;
  geeps_op op;
  geeps_info info;
  geeps_view view;
  int32_t fd;
  int32_t level;
  uint64_t len;
  const void* interface;
  const geeps_host* host;
  uint64_t age;
  float values[16];  // four rows of "t"
  char buf[64];
};

// Arguments, all right for the situation; a pointer to an output is NULL when a test says so.
struct Arguments {
  geeps_config config;
  const geeps_config* config_ptr;
  geeps_runtime* rt;
  geeps_request* req;
  geeps_table* table;
  geeps_local* local;
  geeps_plan* open_plan;       // being recorded
  geeps_plan* ended_plan;      // ended, not committed
  geeps_plan* committed_plan;  // "train" or, in a pass of it, "look"
  geeps_plan* next_plan;       // of clock and pass_end
  const char* name;
  const char* text;
  uint64_t num_rows;
  uint64_t row_values;
  uint32_t dtype;
  const geeps_kv* options;
  uint64_t num_options;
  const char* key;
  double value;
  geeps_rows rows_array[2];
  const geeps_rows* rows;
  uint64_t num_runs;
  uint64_t local_runs;  // local data are one run
  uint32_t slack;
  uint32_t flags;
  geeps_op recorded_read, recorded_update, recorded_local;  // open in open_plan
  geeps_op read, update, local_op, optional_read;           // of the committed plan
  const char* format;
  geeps_plan* plans_array[2];
  geeps_plan* const* plans;
  uint64_t num_plans;
  const geeps_stream* stream;
  uint64_t limit_ns;
  const char* plugin;
  const char* interface_id;
  const geeps_plugin* (*query)(uint32_t host_abi);
  uint64_t cap;
  uint64_t min_age;
  const float* source;  // values of four rows of "t"
  uint64_t values_bytes;
  // Where to write; all point into an Outputs.
  geeps_runtime** rt_out;
  geeps_request** req_out;
  geeps_table** table_out;
  geeps_local** local_out;
  geeps_plan** plan_out;
  geeps_op* op_out;
  geeps_info* info_out;
  geeps_view* view_out;
  int32_t* fd_out;
  int32_t* level_out;
  char* buf;
  uint64_t* len_out;
  float* values_out;
  uint64_t* age_out;
  const void** interface_out;
  const geeps_host** host_out;
};

class Situation {
 public:
  // REQUIREs inside the test that the stage can be reached.
  explicit Situation(Stage stage, const char* name = "alone");
  ~Situation();
  Situation(const Situation&) = delete;
  Situation& operator=(const Situation&) = delete;

  Arguments args;
  Outputs outputs;
  Stage stage() const { return stage_; }

 private:
  void Describe();
  void RecordCommitted();
  void WalkTo(Stage stage);

  const Stage stage_;
  geeps_plan* train_ = nullptr;
  geeps_plan* look_ = nullptr;
  geeps_op look_read_ = 0;
};

// A call of one function with the arguments at hand.
struct Function {
  const char* name;
  geeps_status (*call)(const Arguments& a, geeps_error* err);
  Stage stage;               // a point at which it is right
  std::vector<Stage> legal;  // all of them; empty: every one
};
// Every function of geeps.h that returns a status.
const std::vector<Function>& AllFunctions();
const Function& FunctionNamed(const std::string& name);
// The others.
const std::vector<std::string>& FunctionsWithoutStatus();

// A plugin that is linked into the test.
const geeps_plugin* QueryTestPlugin(uint32_t host_abi);

geeps_error EmptyError();
// "GEEPS_E_STATE the pass is open".
std::string Text(geeps_status status, const geeps_error& err);
// Handles that were destroyed, their runtime too.
struct StaleHandles {
  geeps_runtime* rt;
  geeps_request* req;
  geeps_table* table;
  geeps_local* local;
  geeps_plan* plan;
};
StaleHandles MakeStaleHandles();

}  // namespace geeps::misuse_test

#endif  // GEEPS_TESTS_MISUSE_SITUATION_H_
