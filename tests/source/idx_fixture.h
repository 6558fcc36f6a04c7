// SPDX-License-Identifier: Apache-2.0
// What the tests of geeps.source/1 share: a host table that counts, small IDX files made on the spot, a source with its
// slots.
//
// The module is opened with dlopen, as a host would: nothing of it is linked. One thread.
#ifndef TESTS_SOURCE_IDX_FIXTURE_H_
#define TESTS_SOURCE_IDX_FIXTURE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "geeps_source.h"
#include "tests/support/temporary_folder.h"

namespace geeps::source_test {

// A host that counts what was allocated and keeps what was logged.
class CountingHost {
 public:
  CountingHost();
  const geeps_host* table() const { return &table_; }
  uint64_t live_bytes() const { return live_bytes_; }
  uint64_t max_request_bytes() const { return max_request_bytes_; }
  void set_out_of_memory(bool value) { out_of_memory_ = value; }

 private:
  static void* Alloc(void* ctx, uint64_t bytes, uint64_t align);
  static void Free(void* ctx, void* p, uint64_t bytes, uint64_t align);
  static void Log(void* ctx, int32_t level, const char* component, const char* text, uint64_t len);

  geeps_host table_ = {};
  uint64_t live_bytes_ = 0;
  uint64_t max_request_bytes_ = 0;
  bool out_of_memory_ = false;
};

// The function table of the module under test.
const geeps_source_api* Api();
const geeps_plugin* Plugin();

// A directory that vanishes with its files.
class TempDir {
 public:
  TempDir();
  const std::string& path() const { return folder_.path(); }
  std::string uri() const { return "idx://" + path(); }
  void Write(const std::string& name, const std::string& bytes) const;
  void Remove(const std::string& name) const;

 private:
  TemporaryFolder folder_;
};

// An IDX file of unsigned bytes with these dimensions.
std::string IdxBytes(const std::vector<uint32_t>& dims, const std::string& values);
std::string Gzip(const std::string& bytes);

// Image i of a data set made by WriteDataSet, rows x cols bytes, and its label.
std::string ImageOf(uint32_t i, uint32_t rows, uint32_t cols);
int64_t LabelOf(uint32_t i);

// train-images-idx3-ubyte and train-labels-idx1-ubyte (with .gz when compressed) of n samples.
void WriteDataSet(const TempDir& dir, uint32_t n, uint32_t rows, uint32_t cols, bool compressed);

geeps_error MakeError();
geeps_source_config MakeConfig(uint32_t rank, uint32_t world, uint32_t global_batch);

// Owns a handle; every function of the table in a form that a test can read. `error` holds the last failure.
class Source {
 public:
  explicit Source(const geeps_host* host) : host_(host), error(MakeError()) {}
  ~Source() { Close(); }
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  geeps_status Open(const std::string& uri, const std::map<std::string, std::string>& options = {});
  void Close();
  geeps_status Configure(const geeps_source_config& config);
  std::string message() const { return error.message; }

  geeps_source_handle* handle = nullptr;
  geeps_source_layout layout = {};

 private:
  const geeps_host* host_;

 public:
  geeps_error error;
};

// A slot with its buffers, for sources with the fields image u8 and label i64.
class Slot {
 public:
  Slot(uint32_t samples, uint64_t image_bytes);
  geeps_source_slot* get() { return &slot_; }
  std::string image(uint32_t i) const { return images_.substr(i * image_bytes_, image_bytes_); }
  int64_t label(uint32_t i) const { return labels_[i]; }
  uint64_t id(uint32_t i) const { return ids_[i]; }
  uint8_t flags(uint32_t i) const { return flags_[i]; }
  uint64_t length(uint32_t i) const { return lengths_[i]; }
  geeps_source_buffer buffers[2] = {};

 private:
  uint64_t image_bytes_;
  std::string images_;
  std::vector<int64_t> labels_;
  std::vector<uint64_t> ids_, lengths_;
  std::vector<uint8_t> flags_;
  geeps_source_slot slot_ = {};
};

struct Seen {
  std::vector<uint64_t> ids;       // of valid samples, in order
  std::vector<uint64_t> padded;    // ids of padded ones
  std::vector<uint32_t> batches;   // samples in each
  std::vector<uint32_t> global_valid;  // of each over all ranks
  std::vector<uint64_t> positions;     // after each
  std::string bytes;               // everything that the slots held
};

// Takes up to max_batches batches, or all up to the end of the epoch; *ended says which.
Seen Take(Source* source, uint64_t image_bytes, uint64_t max_batches, bool* ended = nullptr);

}  // namespace geeps::source_test

#endif  // TESTS_SOURCE_IDX_FIXTURE_H_
