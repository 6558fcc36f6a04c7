// SPDX-License-Identifier: Apache-2.0
// Interpreter: one worker that is told line by line which function of geeps.h to call, in the processes that tests
// start. Answers are "= STATUS RANK FLAGS CLOCK MESSAGE<tab>EXTRA".
//
//   create KEY=VALUE...       geeps_runtime_create
//   table NAME ROWS VALUES f32|f64 KEY=VALUE...
//   plan NAME [noclock] [TABLE[:FIRST:COUNT]]...     reads the rows, then updates them (not with noclock)
//   start  commit NAME...  fence  shutdown  abort TEXT   long calls wait
//   ask start | commit NAME... | fence | shutdown        the long call is begun only
//   await [LIMIT_NS]          geeps_request_wait for it; gives the request back with its result
//   begin NAME  read [LIMIT_NS]  post  pre  update VALUE  clock  end     one step of the plan begun; read's extra: the
//                             first value
//   passes NAME COUNT VALUE   whole passes; extra: the first value of the last read
//   drop TABLE                geeps_table_destroy
//   every                     every function that takes the runtime: fails unless all answer with the same error
//   destroy  info  stats  count     extra: clock and latched status; JSON; "descriptors threads"
//   scenario SEED WORLD SLACK KEY=VALUE...   the whole life of a worker of that scenario, create to destroy
//
// Thread contract: one thread.
#ifndef GEEPS_TESTS_SYSTEM_INTERPRETER_H_
#define GEEPS_TESTS_SYSTEM_INTERPRETER_H_

#include <memory>
#include <string>

namespace geeps::system_test {

class Interpreter {
 public:
  Interpreter();
  ~Interpreter();  // a runtime that is still there stays
  Interpreter(const Interpreter&) = delete;
  Interpreter& operator=(const Interpreter&) = delete;

  // Makes the call and returns the answer.
  std::string Answer(const std::string& line);

 private:
  class Impl;
  const std::unique_ptr<Impl> impl_;
};

}  // namespace geeps::system_test

#endif  // GEEPS_TESTS_SYSTEM_INTERPRETER_H_
