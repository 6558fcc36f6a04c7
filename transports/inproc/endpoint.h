// SPDX-License-Identifier: Apache-2.0
// Endpoint: one worker's end of the in-process transport: its inbox, its connections, its statistics.
// Thread contract: that of geeps_transport.h.
#ifndef GEEPS_TRANSPORTS_INPROC_ENDPOINT_H_
#define GEEPS_TRANSPORTS_INPROC_ENDPOINT_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "geeps_transport.h"
#include "transports/inproc/hub.h"
#include "transports/inproc/link.h"

namespace geeps::inproc {

struct Address {
  uint32_t magic = 0x31495447;  // "GTI1"
  uint32_t reserved = 0;
  uint64_t endpoint = 0;
};

class Endpoint {
 public:
  Endpoint(std::string job, uint64_t payload_max) : job_(std::move(job)), payload_max_(payload_max) {}
  ~Endpoint();
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  // Errors: IoError when no descriptor is left.
  absl::Status Open();
  Address address() const;
  const std::string& job() const { return job_; }
  int event_fd() const { return inbox_->fd(); }

  absl::Status Connect(const Address& address, absl::string_view private_data, uint64_t cookie, Connection** out);
  geeps_status Poll(geeps_tp_event* events, uint64_t stride, uint64_t cap, uint64_t* num);
  bool Arm() { return inbox_->Arm(); }
  void Wake() { inbox_->Wake(); }
  void GetStats(geeps_tp_stats* out) const;

 private:
  void Count(const geeps_tp_event& event);

  const std::string job_;
  const uint64_t payload_max_;
  const std::shared_ptr<Inbox> inbox_ = std::make_shared<Inbox>();
  uint64_t id_ = 0;
  std::map<const Connection*, std::shared_ptr<Connection>> connections_;  // that the host knows
  std::deque<Event> delivered_;  // by the last Poll: their data is still looked at
  geeps_tp_stats stats_{};
};

}  // namespace geeps::inproc

#endif  // GEEPS_TRANSPORTS_INPROC_ENDPOINT_H_
