// SPDX-License-Identifier: Apache-2.0
// HostLookup: the loopback addresses that a host name stands for, asked for beside the caller. The system's resolver
// may take half a minute and cannot be interrupted; the control thread has limits to keep. So each question runs on a
// thread of its own, which owns all it uses and is left to itself when nobody wants the answer any more; it ends when
// the resolver gives up.
// Thread contract: ResolveHost any thread; a HostLookup one thread.
#ifndef GEEPS_RUNTIME_NET_HOST_LOOKUP_H_
#define GEEPS_RUNTIME_NET_HOST_LOOKUP_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace geeps::net {

using HostAddresses = std::vector<std::string>;  // literal ones
// Blocks. Errors: NotFound, worth another call.
using ResolveFn = std::function<absl::StatusOr<HostAddresses>(const std::string& host)>;

// The system's answer: IPv4 addresses first, so that all workers try in the same order; none twice.
absl::StatusOr<HostAddresses> ResolveHost(const std::string& host);

class HostLookup {
 public:
  // How long after an answer the question is asked again: after an error, and since names move.
  static constexpr uint64_t kPauseNs = 500'000'000;
  static constexpr uint64_t kRefreshNs = 5'000'000'000;

  HostLookup(std::string host, ResolveFn resolve) : host_(std::move(host)), resolve_(std::move(resolve)) {}

  // The loopback addresses, as far as is known now; at least one. Does not block: call it again, every now and then.
  // Errors: NotFound: not known yet; kDenied: the name has addresses, and none is loopback; NoMemory: no thread.
  absl::StatusOr<HostAddresses> Poll(uint64_t now_ns);

 private:
  struct Question;

  absl::Status Ask();
  // False: there is none yet.
  bool TakeAnswer(uint64_t now_ns);

  const std::string host_;
  const ResolveFn resolve_;
  std::shared_ptr<Question> question_;  // nullptr: none is open
  absl::Status failure_;                // of the last answer
  HostAddresses addresses_;             // of the last answer that was good
  uint64_t next_question_ns_ = 0;
};

}  // namespace geeps::net

#endif  // GEEPS_RUNTIME_NET_HOST_LOOKUP_H_
