// SPDX-License-Identifier: Apache-2.0
// ContextScope: makes a context current for one call and restores what was current on this thread before, whatever the
// call does. Thread contract: one thread.
#ifndef GEEPS_PLUGINS_CUDA_CONTEXT_H_
#define GEEPS_PLUGINS_CUDA_CONTEXT_H_

#include "plugins/cuda/driver.h"

namespace geeps::cuda {

class ContextScope {
 public:
  ContextScope(const Driver& driver, Context context) : driver_(driver), result_(driver.CtxPushCurrent(context)) {}
  ~ContextScope() {
    Context ignored = nullptr;
    if (result_ == kSuccess) driver_.CtxPopCurrent(&ignored);
  }
  ContextScope(const ContextScope&) = delete;
  ContextScope& operator=(const ContextScope&) = delete;

  // Of making it current.
  Result result() const { return result_; }

 private:
  const Driver& driver_;
  const Result result_;
};

}  // namespace geeps::cuda

#endif  // GEEPS_PLUGINS_CUDA_CONTEXT_H_
