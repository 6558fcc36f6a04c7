// SPDX-License-Identifier: Apache-2.0
// The blob of save_state: which data set, which order, which place. Little-endian, with a checksum:
//   "geepsidx" | version u32 | shuffle u32 | seed u64 | window u64 | epoch u64 | position u64 |
//   fingerprint [32] | crc u32
#include <cstring>

#include <zlib.h>

#include "plugins/idx/idx_source.h"

namespace geeps::idx {
namespace {

constexpr char kMagic[] = "geepsidx";
constexpr uint32_t kVersion = 1;
constexpr uint64_t kBlobBytes = 8 + 2 * 4 + 4 * 8 + 32 + 4;

void Put(uint64_t value, uint32_t bytes, std::string* out) {
  for (uint32_t i = 0; i < bytes; ++i) out->push_back(static_cast<char>(value >> (8 * i)));
}

uint64_t Get(const uint8_t** in, uint32_t bytes) {
  uint64_t value = 0;
  for (uint32_t i = 0; i < bytes; ++i) value |= uint64_t{(*in)[i]} << (8 * i);
  *in += bytes;
  return value;
}

uint32_t Crc(const void* data, uint64_t bytes) {
  return static_cast<uint32_t>(crc32_z(0, static_cast<const Bytef*>(data), bytes));
}

Status Damaged(const std::string& text) { return Status(GEEPS_E_DATA, "the state of a data source: " + text); }

Status Differs(const char* what, uint64_t saved, uint64_t now) {
  return Damaged(std::string("it was saved with ") + what + " " + std::to_string(saved) + ", configured is " +
                 std::to_string(now));
}

}  // namespace

Status IdxSource::SaveState(uint64_t epoch, uint64_t position, std::string* out) const {
  if (Status s = CheckPosition(position); !s.ok()) return s;
  geeps_source_description description = {};
  Describe(&description);
  out->assign(kMagic);
  Put(kVersion, 4, out);
  Put(static_cast<uint32_t>(config_.shuffle), 4, out);
  Put(config_.seed, 8, out);
  Put(config_.shuffle_window, 8, out);
  Put(epoch, 8, out);
  Put(position, 8, out);
  out->append(reinterpret_cast<const char*>(description.fingerprint), sizeof description.fingerprint);
  Put(Crc(out->data(), out->size()), 4, out);
  return Status();
}

Status IdxSource::LoadState(const void* blob, uint64_t bytes) {
  if (!configured_) return Status(GEEPS_E_STATE, "the data source is not configured");
  if (blob == nullptr) return Status(GEEPS_E_INVALID, "buf is NULL");
  if (bytes != kBlobBytes) {
    return Damaged("expected " + std::to_string(kBlobBytes) + " bytes, found " + std::to_string(bytes));
  }
  const uint8_t* in = static_cast<const uint8_t*>(blob);
  if (std::memcmp(in, kMagic, 8) != 0) return Damaged("expected 'geepsidx' as its first bytes");
  const uint8_t* crc_at = in + kBlobBytes - 4;
  const uint32_t found = Crc(in, kBlobBytes - 4), expected = static_cast<uint32_t>(Get(&crc_at, 4));
  if (found != expected) {
    return Damaged("expected checksum " + std::to_string(expected) + ", found " + std::to_string(found));
  }
  in += 8;
  const uint64_t version = Get(&in, 4), shuffle = Get(&in, 4), seed = Get(&in, 8), window = Get(&in, 8);
  const uint64_t epoch = Get(&in, 8), position = Get(&in, 8);
  if (version != kVersion) return Differs("version", version, kVersion);
  if (shuffle != static_cast<uint32_t>(config_.shuffle)) {
    return Differs("shuffle", shuffle, static_cast<uint32_t>(config_.shuffle));
  }
  if (seed != config_.seed) return Differs("seed", seed, config_.seed);
  if (window != config_.shuffle_window) return Differs("shuffle_window", window, config_.shuffle_window);
  geeps_source_description description = {};
  Describe(&description);
  if (std::memcmp(in, description.fingerprint, sizeof description.fingerprint) != 0) {
    return Damaged("it was saved with another data set than " + images_.path + " and " + labels_.path);
  }
  return Seek(epoch, position);
}

}  // namespace geeps::idx
