// SPDX-License-Identifier: Apache-2.0
#include "runtime/movers/segment.h"

#include <utility>

#include "runtime/base/status.h"

namespace geeps::movers {

absl::StatusOr<std::shared_ptr<SharedSegment>> SharedSegment::Create(const net::Endpoint& endpoint, uint64_t bytes) {
  std::shared_ptr<SharedSegment> segment(new SharedSegment());
  segment->map_ = endpoint.transport().map;
  geeps_error error = net::EmptyError();
  void* memory = nullptr;
  const geeps_status code = segment->map_->segment_create(endpoint.get(), bytes, &segment->segment_, &memory, &error);
  if (code != GEEPS_OK) return net::PluginStatus(code, error, "cannot reserve memory that peers map");
  segment->data_ = static_cast<uint8_t*>(memory);
  segment->bytes_ = bytes;
  return segment;
}

absl::StatusOr<std::shared_ptr<SharedSegment>> SharedSegment::Import(const net::Endpoint& endpoint,
                                                                     absl::string_view blob) {
  std::shared_ptr<SharedSegment> segment(new SharedSegment());
  segment->map_ = endpoint.transport().map;
  geeps_error error = net::EmptyError();
  void* memory = nullptr;
  const geeps_status code = segment->map_->segment_import(endpoint.get(), blob.data(), blob.size(), &segment->segment_,
                                                          &memory, &segment->bytes_, &error);
  if (code != GEEPS_OK) return net::PluginStatus(code, error, "cannot map a peer's memory");
  segment->data_ = static_cast<uint8_t*>(memory);
  return segment;
}

SharedSegment::~SharedSegment() {
  if (segment_ != nullptr) map_->segment_release(segment_);
}

absl::StatusOr<std::string> SharedSegment::Export() const {
  char blob[256];
  uint64_t len = 0;
  geeps_error error = net::EmptyError();
  const geeps_status code = map_->segment_export(segment_, blob, sizeof(blob), &len, &error);
  if (code != GEEPS_OK) return net::PluginStatus(code, error, "cannot name memory that peers map");
  if (len > sizeof(blob)) return Internal("a segment's name has ", len, " bytes, more than ", sizeof(blob));
  return std::string(blob, len);
}

}  // namespace geeps::movers
