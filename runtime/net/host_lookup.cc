// SPDX-License-Identifier: Apache-2.0
#include "runtime/net/host_lookup.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <exception>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/base/mutex.h"
#include "runtime/base/status.h"
#include "runtime/base/thread.h"
#include "runtime/net/rendezvous.h"

namespace geeps::net {

struct HostLookup::Question {
  Mutex mutex;
  bool answered GEEPS_GUARDED_BY(mutex) = false;
  HostAddresses addresses GEEPS_GUARDED_BY(mutex);
  std::string failure GEEPS_GUARDED_BY(mutex);  // empty: none
};

absl::StatusOr<HostAddresses> ResolveHost(const std::string& host) {
  addrinfo wanted{};
  wanted.ai_family = AF_UNSPEC;
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(host.c_str(), nullptr, &wanted, &found);
  if (error != 0) return NotFound(gai_strerror(error));
  HostAddresses addresses;
  for (const int family : {AF_INET, AF_INET6}) {
    for (const addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
      if (entry->ai_family != family) continue;
      char text[INET6_ADDRSTRLEN] = {};
      const void* const address =
          family == AF_INET ? static_cast<const void*>(&reinterpret_cast<sockaddr_in*>(entry->ai_addr)->sin_addr)
                            : &reinterpret_cast<sockaddr_in6*>(entry->ai_addr)->sin6_addr;
      if (inet_ntop(family, address, text, sizeof(text)) == nullptr) continue;
      if (std::find(addresses.begin(), addresses.end(), text) == addresses.end()) addresses.emplace_back(text);
    }
  }
  freeaddrinfo(found);
  if (addresses.empty()) return NotFound("it has no address");
  return addresses;
}

absl::Status HostLookup::Ask() {
  auto question = std::make_shared<Question>();
  Thread thread;
  GEEPS_RETURN_IF_ERROR(thread.Start("geeps-lookup", [question, host = host_, resolve = resolve_] {
    HostAddresses addresses;
    std::string failure;
    try {
      absl::StatusOr<HostAddresses> answer = resolve(host);
      if (answer.ok()) {
        addresses = *std::move(answer);
      } else {
        failure = absl::StrCat("the name ", host, " is not known: ", answer.status().message());
      }
    } catch (const std::exception&) {  // std::bad_alloc: the question is asked again
      failure = "out of memory";
    }
    MutexLock lock(&question->mutex);
    question->addresses = std::move(addresses);
    question->failure = std::move(failure);
    question->answered = true;
  }));
  thread.Detach();
  question_ = std::move(question);
  return absl::OkStatus();
}

bool HostLookup::TakeAnswer(uint64_t now_ns) {
  MutexLock lock(&question_->mutex);
  if (!question_->answered) return false;
  if (question_->failure.empty()) {
    HostAddresses loopback;
    std::copy_if(question_->addresses.begin(), question_->addresses.end(), std::back_inserter(loopback), IsLoopback);
    failure_ = absl::OkStatus();
    if (loopback.empty()) {
      failure_ = MakeStatus(Code::kDenied, absl::StrCat("host ", host_, " (", absl::StrJoin(question_->addresses, ", "),
                                                        ") ", kNotLoopback));
    }
    addresses_ = std::move(loopback);
    next_question_ns_ = now_ns + kRefreshNs;
  } else {
    failure_ = NotFound(question_->failure);
    next_question_ns_ = now_ns + kPauseNs;
  }
  return true;
}

absl::StatusOr<HostAddresses> HostLookup::Poll(uint64_t now_ns) {
  if (question_ != nullptr && TakeAnswer(now_ns)) question_ = nullptr;
  if (question_ == nullptr && now_ns >= next_question_ns_) GEEPS_RETURN_IF_ERROR(Ask());
  if (!addresses_.empty()) return addresses_;
  if (!failure_.ok()) return failure_;
  return NotFound("the name ", host_, " is being looked up");
}

}  // namespace geeps::net
