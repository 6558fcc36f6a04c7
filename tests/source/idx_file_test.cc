// SPDX-License-Identifier: Apache-2.0
#include <climits>

#include <sys/stat.h>

#include <doctest/doctest.h>

#include "tests/source/idx_fixture.h"

namespace geeps::source_test {
namespace {

constexpr char kImages[] = "train-images-idx3-ubyte";
constexpr char kLabels[] = "train-labels-idx1-ubyte";

struct Refusal {
  geeps_status status;
  std::string text;
};

// Opens the directory; the handle must stay untouched and all memory be back when it is refused.
Refusal Open(const TempDir& dir, const std::map<std::string, std::string>& options = {}) {
  CountingHost host;
  Source source(host.table());
  const geeps_status status = source.Open(dir.uri(), options);
  if (status != GEEPS_OK) {
    CHECK(source.handle == nullptr);
    CHECK(source.error.code == status);
    CHECK(!source.message().empty());
  }
  const std::string text = source.message();
  source.Close();
  CHECK(host.live_bytes() == 0);
  return {status, text};
}

bool Has(const Refusal& refusal, const std::string& part) { return refusal.text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("idx: plain and compressed files are the same data set; other bytes are another") {
  uint8_t fingerprints[3][32];
  for (int i = 0; i < 3; ++i) {
    TempDir dir;
    WriteDataSet(dir, i == 2 ? 12 : 11, 4, 5, i == 1);
    CountingHost host;
    Source source(host.table());
    REQUIRE(source.Open(dir.uri()) == GEEPS_OK);
    geeps_source_description description = {};
    description.struct_size = sizeof description;
    REQUIRE(Api()->describe(source.handle, &description, nullptr) == GEEPS_OK);
    CHECK(description.num_samples == (i == 2 ? 12 : 11));
    CHECK(description.num_fields == 2);
    std::copy(description.fingerprint, description.fingerprint + 32, fingerprints[i]);
  }
  CHECK(std::equal(fingerprints[0], fingerprints[0] + 32, fingerprints[1]));
  CHECK(!std::equal(fingerprints[0], fingerprints[0] + 32, fingerprints[2]));
}

TEST_CASE("idx: the fields are what the header says") {
  TempDir dir;
  WriteDataSet(dir, 11, 4, 5, false);
  CountingHost host;
  Source source(host.table());
  REQUIRE(source.Open(dir.uri()) == GEEPS_OK);
  geeps_source_field field = {};
  field.struct_size = sizeof field;
  REQUIRE(Api()->get_field(source.handle, 0, &field, nullptr) == GEEPS_OK);
  CHECK(std::string(field.name) == "image");
  CHECK(field.dtype == GEEPS_U8);
  CHECK(field.num_dims == 2);
  CHECK(field.shape[0] == 4);
  CHECK(field.shape[1] == 5);
  CHECK(field.sample_bytes == 20);
  REQUIRE(Api()->get_field(source.handle, 1, &field, nullptr) == GEEPS_OK);
  CHECK(std::string(field.name) == "label");
  CHECK(field.dtype == GEEPS_I64);
  CHECK(field.num_dims == 0);
  CHECK(field.sample_bytes == 8);
  CHECK(field.num_classes == 10);
  CHECK(Api()->get_field(source.handle, 2, &field, nullptr) == GEEPS_E_INVALID);
}

TEST_CASE("idx: a file cut off at any byte is refused with its name") {
  for (bool compressed : {false, true}) {
    for (int which = 0; which < 2; ++which) {
      const std::string name = std::string(which == 0 ? kImages : kLabels) + (compressed ? ".gz" : "");
      std::string bytes = which == 0 ? IdxBytes({5, 2, 3}, std::string(30, 'x')) : IdxBytes({5}, std::string(5, '\1'));
      if (compressed) bytes = Gzip(bytes);
      TempDir dir;
      WriteDataSet(dir, 5, 2, 3, compressed);
      for (size_t length = 0; length < bytes.size(); ++length) {
        dir.Write(name, bytes.substr(0, length));
        const Refusal refusal = Open(dir);
        CHECK(refusal.status == GEEPS_E_DATA);
        CHECK(Has(refusal, name));
      }
      dir.Write(name, bytes);
      CHECK(Open(dir).status == GEEPS_OK);
    }
  }
}

TEST_CASE("idx: a compressed file with a flipped bit anywhere is refused or the same, never a crash") {
  const std::string whole = Gzip(IdxBytes({5, 2, 3}, ImageOf(1, 5, 6)));
  TempDir dir;
  WriteDataSet(dir, 5, 2, 3, true);
  size_t refused = 0;
  for (size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::string damaged = whole;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    dir.Write(std::string(kImages) + ".gz", damaged);
    refused += Open(dir).status == GEEPS_E_DATA ? 1 : 0;
  }
  // The header of a gzip file has a time stamp and other bytes without a checksum; everything behind its 10 bytes
  // counts.
  CHECK(refused >= (whole.size() - 10) * 8);
}

TEST_CASE("idx: a foreign file is refused with what was expected and what was found") {
  TempDir dir;
  WriteDataSet(dir, 5, 2, 3, false);
  dir.Write(kImages, std::string("\x89PNG\r\n\x1a\n and more", 17));
  Refusal refusal = Open(dir);
  CHECK(refusal.status == GEEPS_E_DATA);
  CHECK(Has(refusal, "expected 0 0 as its first bytes, found 137 80"));

  std::string floats = IdxBytes({5, 2, 3}, std::string(30, 'x'));
  floats[2] = 0x0d;
  dir.Write(kImages, floats);
  refusal = Open(dir);
  CHECK(refusal.status == GEEPS_E_DATA);
  CHECK(Has(refusal, "found type 13"));

  dir.Write(kImages, IdxBytes({5}, std::string(5, 'x')));  // labels where images belong
  CHECK(Open(dir).status == GEEPS_E_DATA);

  dir.Write(kImages, IdxBytes({5, 2, 3}, std::string(31, 'x')));
  refusal = Open(dir);
  CHECK(refusal.status == GEEPS_E_DATA);
  CHECK(Has(refusal, "5 x 2 x 3 = 30 bytes, the file holds more"));

  dir.Write(kImages, IdxBytes({5, 0, 3}, ""));
  CHECK(Open(dir).status == GEEPS_E_DATA);
}

TEST_CASE("idx: counts of images and labels that differ are refused with both") {
  TempDir dir;
  WriteDataSet(dir, 5, 2, 3, false);
  dir.Write(kLabels, IdxBytes({6}, std::string(6, '\1')));
  const Refusal refusal = Open(dir);
  CHECK(refusal.status == GEEPS_E_DATA);
  CHECK(Has(refusal, "expected 5 labels"));
  CHECK(Has(refusal, "found 6"));
}

TEST_CASE("idx: absurd dimensions are refused before any memory is asked for") {
  for (bool compressed : {false, true}) {
    for (const std::vector<uint32_t>& dims : {std::vector<uint32_t>{UINT_MAX, UINT_MAX, UINT_MAX}, {60000, 28, 28},
                                              {1u << 31, 1u << 31, 4}}) {
      TempDir dir;
      WriteDataSet(dir, 5, 2, 3, compressed);
      const std::string bytes = IdxBytes(dims, "few");
      dir.Write(compressed ? std::string(kImages) + ".gz" : kImages, compressed ? Gzip(bytes) : bytes);
      CountingHost host;
      Source source(host.table());
      CHECK(source.Open(dir.uri()) == GEEPS_E_DATA);
      CHECK(source.message().find(std::to_string(dims[0]) + " x " + std::to_string(dims[1])) != std::string::npos);
      CHECK(host.max_request_bytes() == 0);
    }
  }
}

TEST_CASE("idx: a missing file, a directory in its place and a host without memory each have their status") {
  TempDir dir;
  Refusal refusal = Open(dir);
  CHECK(refusal.status == GEEPS_E_NOT_FOUND);
  CHECK(Has(refusal, dir.path() + "/train-images-idx3-ubyte.gz"));

  WriteDataSet(dir, 5, 2, 3, false);
  CountingHost host;
  host.set_out_of_memory(true);
  Source source(host.table());
  CHECK(source.Open(dir.uri()) == GEEPS_E_NOMEM);
  CHECK(source.message().find("30 bytes") != std::string::npos);

  dir.Remove(kImages);
  REQUIRE(mkdir((dir.path() + "/" + kImages).c_str(), 0700) == 0);
  CHECK(Open(dir).status == GEEPS_E_IO);
}

TEST_CASE("idx: options choose split and names; unknown ones and bad values are refused") {
  TempDir dir;
  WriteDataSet(dir, 5, 2, 3, false);
  CHECK(Open(dir, {{"split", "train"}}).status == GEEPS_OK);
  CHECK(Open(dir, {{"split", "test"}}).status == GEEPS_E_NOT_FOUND);
  CHECK(Open(dir, {{"split", "validation"}}).status == GEEPS_E_INVALID);
  CHECK(Open(dir, {{"splitt", "train"}}).status == GEEPS_E_INVALID);
  CHECK(Open(dir, {{"images", "../x"}}).status == GEEPS_E_INVALID);
  dir.Write("a", IdxBytes({2, 1}, "ab"));
  dir.Write("b", IdxBytes({2}, "ab"));
  CHECK(Open(dir, {{"images", "a"}, {"labels", "b"}}).status == GEEPS_OK);

  CountingHost host;
  Source source(host.table());
  CHECK(source.Open("idx://relative") == GEEPS_E_INVALID);
  CHECK(source.Open("file://" + dir.path()) == GEEPS_E_INVALID);
  geeps_source_handle* handle = nullptr;
  CHECK(Api()->open(host.table(), nullptr, nullptr, 0, &handle, nullptr) == GEEPS_E_INVALID);
  CHECK(Api()->open(nullptr, dir.uri().c_str(), nullptr, 0, &handle, nullptr) == GEEPS_E_INVALID);
  CHECK(Api()->open(host.table(), dir.uri().c_str(), nullptr, 1, &handle, nullptr) == GEEPS_E_INVALID);
  CHECK(Api()->open(host.table(), dir.uri().c_str(), nullptr, 0, nullptr, nullptr) == GEEPS_E_INVALID);
  CHECK(handle == nullptr);
}

}  // namespace geeps::source_test
