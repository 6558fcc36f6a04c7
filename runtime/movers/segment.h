// SPDX-License-Identifier: Apache-2.0
// SharedSegment: the owner of memory that workers of one host or process share (geeps.transport.map/1), own or a
// peer's.
// Thread contract: created by the mover thread; ends on any thread.
#ifndef GEEPS_RUNTIME_MOVERS_SEGMENT_H_
#define GEEPS_RUNTIME_MOVERS_SEGMENT_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "geeps_transport.h"
#include "runtime/net/transport.h"

namespace geeps::movers {

class SharedSegment {
 public:
  // Zeroed memory of this worker that peers may map.
  static absl::StatusOr<std::shared_ptr<SharedSegment>> Create(const net::Endpoint& endpoint, uint64_t bytes);
  // A peer's, by what its Export gave.
  static absl::StatusOr<std::shared_ptr<SharedSegment>> Import(const net::Endpoint& endpoint, absl::string_view blob);
  ~SharedSegment();
  SharedSegment(const SharedSegment&) = delete;
  SharedSegment& operator=(const SharedSegment&) = delete;

  absl::StatusOr<std::string> Export() const;
  uint8_t* data() const { return data_; }
  uint64_t bytes() const { return bytes_; }

 private:
  SharedSegment() = default;

  const geeps_transport_map* map_ = nullptr;
  geeps_tp_segment* segment_ = nullptr;
  uint8_t* data_ = nullptr;
  uint64_t bytes_ = 0;
};

}  // namespace geeps::movers

#endif  // GEEPS_RUNTIME_MOVERS_SEGMENT_H_
