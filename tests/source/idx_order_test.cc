// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <numeric>
#include <set>

#include <doctest/doctest.h>

#include "tests/source/idx_fixture.h"

namespace geeps::source_test {
namespace {

constexpr uint32_t kSamples = 103, kRows = 2, kCols = 3, kBytes = kRows * kCols;
constexpr uint64_t kAll = ~0ull;

struct World {
  explicit World(uint32_t n = kSamples) { WriteDataSet(dir, n, kRows, kCols, false); }
  // One rank's epochs from the beginning, each as far as its end.
  std::vector<Seen> Epochs(const geeps_source_config& config, int num_epochs) {
    Source source(host.table());
    REQUIRE(source.Open(dir.uri()) == GEEPS_OK);
    REQUIRE(source.Configure(config) == GEEPS_OK);
    std::vector<Seen> epochs;
    for (int e = 0; e < num_epochs; ++e) {
      bool ended = false;
      epochs.push_back(Take(&source, kBytes, kAll, &ended));
      REQUIRE(ended);
      if (e == 0) {
        CHECK(epochs[0].batches.size() == source.layout.rank_batches);
        CHECK(epochs[0].ids.size() + epochs[0].padded.size() == source.layout.rank_samples);
      }
      layout = source.layout;
    }
    return epochs;
  }
  TempDir dir;
  CountingHost host;
  geeps_source_layout layout = {};
};

std::vector<uint64_t> Sorted(std::vector<uint64_t> v) {
  std::sort(v.begin(), v.end());
  return v;
}

std::vector<uint64_t> Iota(uint64_t n) {
  std::vector<uint64_t> v(n);
  std::iota(v.begin(), v.end(), 0u);
  return v;
}

}  // namespace

TEST_CASE("idx: an epoch visits every sample once over 1 to 5 ranks, in an order that does not depend on them") {
  World w;
  std::vector<uint64_t> reference;
  for (uint32_t world = 1; world <= 5; ++world) {
    std::vector<std::vector<Seen>> ranks;
    for (uint32_t rank = 0; rank < world; ++rank) ranks.push_back(w.Epochs(MakeConfig(rank, world, 10), 2));
    for (int epoch = 0; epoch < 2; ++epoch) {
      std::vector<uint64_t> ids;  // batch by batch, in the order of the ranks
      std::vector<size_t> taken(world, 0);
      for (size_t batch = 0; batch < w.layout.max_batches; ++batch) {
        for (uint32_t rank = 0; rank < world; ++rank) {
          const Seen& seen = ranks[rank][epoch];
          if (batch >= seen.batches.size()) continue;
          CHECK(seen.global_valid[batch] == (batch < 10 ? 10 : 3));
          CHECK(seen.positions[batch] == std::min<uint64_t>(10 * (batch + 1), kSamples));
          for (uint32_t i = 0; i < seen.batches[batch]; ++i) ids.push_back(seen.ids[taken[rank]++]);
        }
      }
      CHECK(Sorted(ids) == Iota(kSamples));
      if (world == 1) reference.insert(reference.end(), ids.begin(), ids.end());
      CHECK(std::equal(ids.begin(), ids.end(), reference.begin() + epoch * kSamples));
    }
    // 103 = 10 * 10 + 3: of four or five ranks those beyond the third have no eleventh batch.
    CHECK(ranks[world - 1][0].batches.size() == (world > 3 ? 10 : 11));
    CHECK(w.layout.max_batches == 11);
  }
  CHECK(!std::equal(reference.begin(), reference.begin() + kSamples, reference.begin() + kSamples));
}

TEST_CASE("idx: a slot holds the bytes and the label of the samples that its ids name") {
  World w;
  Source source(w.host.table());
  REQUIRE(source.Open(w.dir.uri()) == GEEPS_OK);
  REQUIRE(source.Configure(MakeConfig(0, 1, 16)) == GEEPS_OK);
  Slot slot(16, kBytes);
  REQUIRE(Api()->enqueue(source.handle, slot.get(), nullptr) == GEEPS_OK);
  geeps_source_slot* out = nullptr;
  REQUIRE(Api()->dequeue(source.handle, GEEPS_NO_LIMIT, &out, nullptr) == GEEPS_OK);
  CHECK(out->num_valid == 16);
  CHECK(out->num_global_valid == 16);
  CHECK(out->position == 16);
  for (uint32_t i = 0; i < 16; ++i) {
    const uint32_t id = static_cast<uint32_t>(slot.id(i));
    CHECK(slot.image(i) == ImageOf(id, kRows, kCols));
    CHECK(slot.label(i) == LabelOf(id));
    CHECK(slot.flags(i) == 0);
    CHECK(slot.length(i) == kBytes);
  }
}

TEST_CASE("idx: drop leaves the remainder out, pad fills it up on every rank, flagged") {
  World w;
  for (uint32_t world = 1; world <= 5; ++world) {
    std::vector<uint64_t> dropped, padded, valid;
    for (uint32_t rank = 0; rank < world; ++rank) {
      geeps_source_config config = MakeConfig(rank, world, 10);
      config.remainder = GEEPS_SOURCE_REMAINDER_DROP;
      Seen seen = w.Epochs(config, 1)[0];
      CHECK(seen.batches.size() == 10);
      CHECK(w.layout.max_batches == 10);
      CHECK(seen.padded.empty());
      dropped.insert(dropped.end(), seen.ids.begin(), seen.ids.end());

      config.remainder = GEEPS_SOURCE_REMAINDER_PAD;
      seen = w.Epochs(config, 1)[0];
      CHECK(seen.batches.size() == 11);
      CHECK(std::set<uint32_t>(seen.batches.begin(), seen.batches.end()).size() == 1);
      CHECK(seen.positions.back() == kSamples);
      valid.insert(valid.end(), seen.ids.begin(), seen.ids.end());
      padded.insert(padded.end(), seen.padded.begin(), seen.padded.end());
    }
    CHECK(dropped.size() == 100);
    CHECK(std::set<uint64_t>(dropped.begin(), dropped.end()).size() == 100);
    CHECK(Sorted(valid) == Iota(kSamples));
    // Seven places are filled up, with the first seven samples of the epoch's order.
    geeps_source_config alone = MakeConfig(0, 1, 10);
    const std::vector<uint64_t> order = w.Epochs(alone, 1)[0].ids;
    CHECK(padded == std::vector<uint64_t>(order.begin(), order.begin() + 7));
  }
}

TEST_CASE("idx: pad repeats a data set that is smaller than a batch as often as needed") {
  World w(3);
  geeps_source_config config = MakeConfig(0, 1, 10);
  config.remainder = GEEPS_SOURCE_REMAINDER_PAD;
  const Seen seen = w.Epochs(config, 1)[0];
  REQUIRE(seen.ids.size() == 3);
  REQUIRE(seen.padded.size() == 7);
  for (size_t i = 0; i < 7; ++i) CHECK(seen.padded[i] == seen.ids[i % 3]);
}

TEST_CASE("idx: shuffle none keeps the order, a window moves a sample forward by less than its length, seeds differ") {
  World w;
  geeps_source_config config = MakeConfig(0, 1, 10);
  config.shuffle = GEEPS_SOURCE_SHUFFLE_NONE;
  CHECK(w.Epochs(config, 2)[1].ids == Iota(kSamples));

  config.shuffle = GEEPS_SOURCE_SHUFFLE_WINDOW;
  config.shuffle_window = 8;
  const std::vector<uint64_t> window = w.Epochs(config, 1)[0].ids;
  CHECK(Sorted(window) == Iota(kSamples));
  CHECK(window != Iota(kSamples));
  for (uint64_t place = 0; place < kSamples; ++place) CHECK(window[place] < place + 8);

  config = MakeConfig(0, 1, 10);
  const std::vector<uint64_t> seven = w.Epochs(config, 1)[0].ids;
  config.seed = 8;
  CHECK(w.Epochs(config, 1)[0].ids != seven);
}

TEST_CASE("idx: killed at any batch and resumed, twice in an epoch, the bytes are those of an unbroken run") {
  World w;
  for (int32_t remainder : {GEEPS_SOURCE_REMAINDER_DROP, GEEPS_SOURCE_REMAINDER_PAD, GEEPS_SOURCE_REMAINDER_UNEVEN}) {
    geeps_source_config config = MakeConfig(1, 3, 10);
    config.remainder = remainder;
    const std::vector<Seen> whole = w.Epochs(config, 2);
    for (size_t kill = 0; kill <= whole[1].batches.size(); ++kill) {
      std::string bytes;
      uint64_t position = 0;
      for (size_t take : {kill / 2, kill - kill / 2, size_t{1000}}) {
        Source source(w.host.table());
        REQUIRE(source.Open(w.dir.uri()) == GEEPS_OK);
        REQUIRE(source.Configure(config) == GEEPS_OK);
        uint8_t blob[256];
        uint64_t length = 0;
        REQUIRE(Api()->save_state(source.handle, 1, position, blob, sizeof blob, &length, nullptr) == GEEPS_OK);
        REQUIRE(Api()->load_state(source.handle, blob, length, &source.error) == GEEPS_OK);
        const Seen seen = Take(&source, kBytes, take);
        bytes += seen.bytes;
        if (!seen.positions.empty()) position = seen.positions.back();
      }
      CHECK(bytes == whole[1].bytes);
    }
  }
}

TEST_CASE("idx: a run may resume with another world and another batch: the samples left are visited once") {
  World w;
  Source first(w.host.table());
  REQUIRE(first.Open(w.dir.uri()) == GEEPS_OK);
  REQUIRE(first.Configure(MakeConfig(0, 1, 10)) == GEEPS_OK);
  std::vector<uint64_t> ids = Take(&first, kBytes, 4).ids;
  uint8_t blob[256];
  uint64_t length = 0;
  REQUIRE(Api()->save_state(first.handle, 0, 40, blob, sizeof blob, &length, nullptr) == GEEPS_OK);
  for (uint32_t rank = 0; rank < 3; ++rank) {
    Source source(w.host.table());
    REQUIRE(source.Open(w.dir.uri()) == GEEPS_OK);
    REQUIRE(source.Configure(MakeConfig(rank, 3, 17)) == GEEPS_OK);
    REQUIRE(Api()->load_state(source.handle, blob, length, &source.error) == GEEPS_OK);
    const std::vector<uint64_t> rest = Take(&source, kBytes, kAll).ids;
    ids.insert(ids.end(), rest.begin(), rest.end());
  }
  CHECK(Sorted(ids) == Iota(kSamples));
}

}  // namespace geeps::source_test
