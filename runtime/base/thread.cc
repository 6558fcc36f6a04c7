// SPDX-License-Identifier: Apache-2.0
#include "runtime/base/thread.h"

#include <pthread.h>
#include <signal.h>

#include <cfenv>
#include <system_error>
#include <utility>

#include "runtime/base/status.h"

namespace geeps {

absl::Status Thread::Start(const char* name, std::function<void()> body) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  absl::Status status;
  try {  // the caller's signals are put back whatever happens
    thread_ = std::thread([name, body = std::move(body)] {
      std::fesetenv(FE_DFL_ENV);
      pthread_setname_np(pthread_self(), name);
      body();
    });
  } catch (const std::system_error& error) {
    status = CatchOutOfMemory([&] { return NoMemory("cannot start thread ", name, ": ", error.what()); });
  } catch (const std::exception&) {
    status = OutOfMemory();
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return status;
}

void Thread::Join() {
  if (thread_.joinable()) thread_.join();
}

void Thread::Detach() {
  if (thread_.joinable()) thread_.detach();
}

}  // namespace geeps
