// SPDX-License-Identifier: Apache-2.0
// Training: a small model whose values are known: what a worker of a scenario declares, records and walks. Each
// function returns false when the worker cannot go on. Thread contract: a Training belongs to its worker's thread.
#ifndef GEEPS_TESTS_OOM_TRAINING_H_
#define GEEPS_TESTS_OOM_TRAINING_H_

#include <cstdint>
#include <initializer_list>
#include <string>

#include "tests/oom/job.h"

namespace geeps::oom_test {

class Training {
 public:
  struct Options {
    const char* mode = nullptr;       // of the counted table; nullptr: bounded
    bool read_my_writes = false;      // of the counted table
    uint32_t slack = 0;               // of its reads
    const char* model_rule = "adam";  // of the table beside it
    uint32_t model_dtype = GEEPS_F16;
    bool last_observes = false;  // the last worker takes no part in the model
    bool polled = false;         // reads have limit 0 and wait at the descriptor
    bool skips = false;          // odd ranks skip the model's update in odd clocks
  };

  Training(Worker* worker, const Options& options) : w_(worker), options_(options) {}

  // Two tables, local data, and the plans "train" and "look".
  bool Declare();
  bool Commit(bool by_request);
  // So many clocks; the values of each read are compared with what they must be.
  bool Train(int clocks);
  // A pass without a clock.
  bool Look();
  // Rank 0 sets rows of the counted table; a fence makes them valid; all get them, once by a request that is dropped.
  bool SetAndGet();
  // Texts about the job: plan, statistics, log.
  bool Ask();
  // Ends a plan, a table and local data and makes another: for a second commit.
  bool Replace();

  geeps_table* counted() const { return counted_; }

 private:
  bool Observes() const { return options_.last_observes && w_->rank() + 1 == w_->world(); }
  bool Read(geeps_op op, bool counted, uint64_t num_rows);
  bool Update(geeps_op op, float value);
  bool RecordTrain(const char* name);
  bool RecordLook();
  bool Pass();
  bool CheckText(const char* what, const std::function<geeps_status(char*, uint64_t, uint64_t*, geeps_error*)>& call,
                 const char* part);

  Worker* const w_;
  const Options options_;
  geeps_table* counted_ = nullptr;
  geeps_table* model_ = nullptr;
  geeps_local* local_ = nullptr;
  geeps_plan* train_ = nullptr;
  geeps_plan* look_ = nullptr;
  geeps_op read_all_ = 0, read_some_ = 0, read_model_ = 0, use_local_ = 0, add_ = 0, learn_ = 0, look_read_ = 0;
  uint64_t clock_ = 0;
  float base_ = 0;  // of the counted values: what was set
  uint64_t base_clock_ = 0;
};

}  // namespace geeps::oom_test

#endif  // GEEPS_TESTS_OOM_TRAINING_H_
