// SPDX-License-Identifier: Apache-2.0
// A peer that breaks the protocol of rows outside plans (GET, GOT, SET, ACK) ends the job for both, with a sentence
// that says what it sent; nothing else happens: no crash, no hang, no memory touched that is not the call's.
#include <doctest/doctest.h>

#include <atomic>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "runtime/protocol/message.h"
#include "tests/system/between.h"
#include "tests/system/scenario.h"

namespace geeps::system_test {
namespace {

using protocol::Header;
using protocol::kHeaderBytes;
using protocol::MessageType;

constexpr uint64_t kRows = 8000;  // four partitions at each worker
constexpr uint64_t kWidth = 8;

// Of a message as a worker sends it.
Header HeaderOf(const std::string& message) {
  Header header;
  const auto bytes = absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(message.data()), kHeaderBytes);
  protocol::DecodeHeader(bytes, &header).IgnoreError();
  return header;
}

void PutHeader(const Header& header, std::string* message) {
  uint8_t bytes[kHeaderBytes];
  protocol::EncodeHeader(header, bytes);
  std::memcpy(message->data(), bytes, kHeaderBytes);
}

// What a worker does: rows are set, taken in, read, all of them by both.
void LiveWith(Worker& w) {
  geeps::Table table(w.rt, "t", kRows, kWidth, GEEPS_F64, {{"partition_bytes", "65536"}}, w.err);
  geeps::Walker train(w.rt, "train", w.err);
  train.Record([&](geeps::Walker& walker) { walker.Update(walker.PreUpdate(table, geeps::Rows::All())); });
  w.rt.Commit({train.plan()}, w.err);
  const std::vector<double> values(kRows * kWidth, 1.0 + w.rank);
  for (int i = 0; i < 2; ++i) {
    table.Set(geeps::Rows::All(), values, w.err);
    w.rt.Fence(w.err);
    std::vector<double> some(612 * kWidth);
    table.Get(geeps::Rows::FromRuns({{5, 2}, {2000, 600}, {7000, 10}}), &some, w.err);
  }
}

using Change = std::function<std::vector<std::string>(bool to_rank_0, std::string message)>;

// Two workers in this process; what they tell each other about rows goes through `change`. By rank the error that ended
// the job, empty when it went well.
std::vector<std::string> Errors(const Change& change) {
  Between between(EditRows(change));
  std::vector<std::string> errors(2);
  const std::string hangs = RunThreads(2, 60, [&](uint32_t rank) {
    Setup setup;
    setup.world = 2;
    setup.transport = "tcp";
    Worker w;
    w.rank = rank;
    w.world = 2;
    w.rt = geeps::Runtime(WorkerOptions(setup, between.RendezvousOf(rank), rank), w.err);
    w.rt.Start(w.err);
    LiveWith(w);
    w.rt.Shutdown(w.err);
    if (!w.err.ok()) errors[rank] = w.err.message();
    return std::string();
  });
  CHECK(hangs == "");
  return errors;
}

struct Attack {
  const char* name;
  MessageType type;
  // What goes on instead of the message; the first of its type only.
  std::function<std::vector<std::string>(std::string)> change;
  const char* says;
  bool blames_either = false;  // the answer to the first half of it may be what comes to light first
};

std::function<std::vector<std::string>(std::string)> Field(const std::function<void(Header*)>& set) {
  return [set](std::string message) {
    Header header = HeaderOf(message);
    set(&header);
    PutHeader(header, &message);
    return std::vector<std::string>{message};
  };
}

std::vector<std::string> Longer(std::string message) { return {message + std::string(8, 'x')}; }
std::vector<std::string> Shorter(std::string message) { return {message.substr(0, message.size() - 8)}; }
std::vector<std::string> Twice(const std::string& message) { return {message, message}; }
std::vector<std::string> Truncated(const std::string& message) { return {message.substr(0, 100)}; }
std::vector<std::string> Nothing(const std::string&) { return {""}; }

std::vector<Attack> Attacks() {
  const auto far_partition = Field([](Header* h) { h->partition = 1u << 20; });
  const auto far_rows = Field([](Header* h) { h->first_row = 1u << 30; });
  const auto many_rows = Field([](Header* h) { h->num_rows = ~0u; });
  const auto overflowing = Field([](Header* h) { h->first_row = 1, h->num_rows = ~0u; });
  const auto no_rows = Field([](Header* h) { h->num_rows = 0; });
  const auto late_epoch = Field([](Header* h) { h->epoch += 9; });
  const auto no_age = Field([](Header* h) { h->clock = protocol::kNoAge; });
  const auto other_call = Field([](Header* h) { h->call += 1000; });
  const auto byte = [](size_t at, char value) {
    return [at, value](std::string message) {
      message[at] = value;
      return std::vector<std::string>{message};
    };
  };
  std::vector<Attack> attacks = {
      {"a get of a partition that does not exist", MessageType::kGet, far_partition, "does not keep so"},
      {"a get of rows that do not exist", MessageType::kGet, far_rows, "does not keep so"},
      {"a get of more rows than there are", MessageType::kGet, many_rows, "does not keep so"},
      {"a get whose rows overflow", MessageType::kGet, overflowing, "does not keep so"},
      {"a get of no row", MessageType::kGet, no_rows, "does not keep so"},
      {"a get with a payload", MessageType::kGet, Longer, "8 bytes behind a message about rows that has none"},
      {"too many gets", MessageType::kGet,
       [](const std::string& message) {
         std::vector<std::string> many(9);
         for (size_t i = 0; i < many.size(); ++i) {
           Header header = HeaderOf(message);
           header.clock = 1000;  // none is answered
           header.call += i;
           many[i] = message;
           PutHeader(header, &many[i]);
         }
         return many;
       },
       "more than 8 gets under way"},
      {"an answer of another length", MessageType::kGot, Longer, "answered a get that was not made so"},
      {"a shorter answer", MessageType::kGot, Shorter, "answered a get that was not made so"},
      {"an answer twice", MessageType::kGot, Twice, "answered a get that was not made so"},
      {"an answer for other rows", MessageType::kGot, Field([](Header* h) { h->first_row += 1; }),
       "answered a get that was not made so"},
      {"an answer for a partition that does not exist", MessageType::kGot, far_partition,
       "answered a get that was not made so"},
      {"an answer of no version", MessageType::kGot, no_age, "answered a get that was not made so"},
      {"rows set in a partition that does not exist", MessageType::kSet, far_partition, "does not keep so"},
      {"rows set that do not exist", MessageType::kSet, far_rows, "does not keep so"},
      {"more rows set than there are", MessageType::kSet, many_rows, "does not keep so"},
      {"rows set with more values", MessageType::kSet, Longer, "bytes, where"},
      {"rows set with fewer values", MessageType::kSet, Shorter, "bytes, where"},
      {"rows of an earlier set behind those of a later one", MessageType::kSet,
       [](const std::string& message) {
         Header header = HeaderOf(message);
         header.call += 1000;
         std::string later = message;
         PutHeader(header, &later);
         return std::vector<std::string>{later, message};
       },
       "", true},
      {"an acknowledgement of what was not sent", MessageType::kAck, far_partition, "that it was not sent"},
      {"an acknowledgement of another call", MessageType::kAck, other_call, "that it was not sent"},
      {"an acknowledgement twice", MessageType::kAck, Twice, ""},
      {"an acknowledgement with a payload", MessageType::kAck, Longer, "8 bytes behind"},
  };
  for (const MessageType type : {MessageType::kGet, MessageType::kGot, MessageType::kSet, MessageType::kAck}) {
    attacks.push_back({"half a header", type, Truncated, "100 bytes"});
    attacks.push_back({"nothing at all", type, Nothing, "0 bytes"});
    attacks.push_back({"an unknown type", type, byte(0, 77), "77"});
    attacks.push_back({"a type of the transports", type, byte(0, 1), ""});
    attacks.push_back({"a wrong epoch", type, late_epoch, "epoch"});
  }
  // They carry the epoch that is about to begin: of it nothing can be answered yet.
  const auto as_answer = Field([](Header* h) { h->type = MessageType::kGot; });
  attacks.push_back({"rows that are set, as an answer", MessageType::kSet, as_answer, "epoch"});
  attacks.push_back({"an acknowledgement as an answer", MessageType::kAck, as_answer, "epoch"});
  return attacks;
}

// What leaves a call without an answer is left alone, since nobody can tell it from a slow peer: the epoch (place 16 of
// the header) and the version (32) of a message, the number of a get's call (104).
bool MayChange(const std::string& message, size_t at) {
  const auto type = static_cast<MessageType>(message[0]);
  const bool is_get = type == MessageType::kGet || type == MessageType::kGot;
  return !(at >= 16 && at < 24) && !(at >= 32 && at < 40) && !(is_get && at >= 104 && at < 112);
}

}  // namespace

TEST_CASE("without a change the workers between whom somebody stands come to their end") {
  std::atomic<int> seen[11] = {};
  const std::vector<std::string> errors = Errors([&](bool, const std::string& message) {
    ++seen[static_cast<int>(HeaderOf(message).type)];
    return std::vector<std::string>{message};
  });
  CHECK(errors[0] == "");
  CHECK(errors[1] == "");
  for (int type = static_cast<int>(MessageType::kGet); type <= static_cast<int>(MessageType::kAck); ++type)
    CHECK(seen[type].load() >= 4);
}

TEST_CASE("a message about rows that is wrong ends the job for both, with what the sender did") {
  for (const bool to_rank_0 : {true, false}) {
    for (const Attack& attack : Attacks()) {
      CAPTURE(std::string(attack.name));
      CAPTURE(to_rank_0);
      std::atomic<bool> done{false};
      const std::vector<std::string> errors = Errors([&](bool to_0, const std::string& message) {
        const bool hit = to_0 == to_rank_0 && message.size() >= kHeaderBytes &&
                         static_cast<MessageType>(message[0]) == attack.type && !done.exchange(true);
        return hit ? attack.change(message) : std::vector<std::string>{message};
      });
      CHECK(done.load());
      const std::string culprit = "rank " + std::to_string(to_rank_0 ? 1 : 0) + " broke the protocol";
      for (const std::string& error : errors) {
        CAPTURE(error);
        CHECK(error.find(attack.blames_either ? "broke the protocol" : culprit) != std::string::npos);
        CHECK(error.find(attack.says) != std::string::npos);
      }
    }
  }
}

TEST_CASE("whatever bytes a message about rows has, the job ends, well or with an error for both") {
  uint64_t num_well = 0, num_ended = 0;
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    CAPTURE(seed);
    std::atomic<uint64_t> counts[2] = {};  // by direction: what a message gets depends on its place in its own
    const std::vector<std::string> errors = Errors([&](bool to_0, std::string message) {
      Random random(seed * 1000 + counts[to_0 ? 1 : 0].fetch_add(1) * 2 + (to_0 ? 1 : 0));
      if (random.OneIn(12)) {
        for (uint64_t n = 1 + random.Below(3); n > 0; --n) {
          size_t at = random.Below(kHeaderBytes);
          while (!MayChange(message, at)) at = random.Below(kHeaderBytes);
          message[at] = static_cast<char>(message[at] ^ (1 << random.Below(8)));
        }
      }
      return std::vector<std::string>{message};
    });
    CAPTURE(errors[0]);
    CAPTURE(errors[1]);
    for (const std::string& error : errors)
      CHECK((errors[0].empty() ? error.empty() : error.find("broke the protocol") != std::string::npos));
    ++(errors[0].empty() ? num_well : num_ended);
  }
  CHECK(num_well > 0);
  CHECK(num_ended > 0);
}

}  // namespace geeps::system_test
