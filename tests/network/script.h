// SPDX-License-Identifier: Apache-2.0
// Script: what a network does to the frames of a job: one fault at one frame of one direction, behind which further
// directions may fall silent. And delays everywhere, which change nothing. Thread contract: edits are called by the
// threads of a Between; what a script did may be asked for by any thread.
#ifndef GEEPS_TESTS_NETWORK_SCRIPT_H_
#define GEEPS_TESTS_NETWORK_SCRIPT_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "tests/system/between.h"

namespace geeps::network_test {

using system_test::LinkKind;
using system_test::Passage;
using system_test::Way;

// Kinds of frames that a fault can be aimed at.
enum class Sort : uint8_t {
  kOpening,  // the first of its direction: HELLO and WELCOME, greeting and answer
  kBeat,     // control: a sign of life
  kControl,  // control: any other
  kMessage,  // data: without payload
  kPayload,  // data: with payload
};

enum class Part : uint8_t {
  kFront,    // the fixed header; all of an opening of a data connection
  kHeader,   // data: the message header
  kBody,     // control: the body; data: the payload
  kTrailer,  // data: the payload's checksum
};

// What is done to a frame.
struct Deed {
  std::string name;
  std::function<Passage(const Way&, Sort, const std::string&)> act;
  bool swaps = false;  // instead: it changes places with the next one
};

// One bit of the part is the other way round; the seed says which.
Deed Flip(Part part, uint64_t seed);
Deed Twice();
Deed Swap();
Deed Drop();
// Some bytes of the part are missing; what follows moves up.
Deed Shorten(Part part, uint64_t seed);
// Random bytes stand before it.
Deed Noise(uint64_t seed);
// The connection ends, is reset or stalls before the frame, or within the part.
Deed Break(Passage::Then then);
Deed BreakWithin(Part part, Passage::Then then);

struct Fault {
  Way way;
  Sort sort = Sort::kPayload;
  uint64_t nth = 0;  // of its sort in that direction
  Deed deed;
};

class Script {
 public:
  // silenced: on which other ways nothing passes from the fault on.
  explicit Script(Fault fault, std::function<bool(const Way&)> silenced = nullptr);

  // "payload 3 on the data connection from rank 1 to rank 0: one bit of the body"
  std::string name() const;
  system_test::Between::Edit edit() const;
  // Whether the frame that comes behind it is the coordinator's word that the job is over.
  bool was_last() const;
  // Whether the frame came by, and when.
  bool struck() const;
  std::chrono::steady_clock::time_point time() const;

 private:
  struct State;
  const std::shared_ptr<State> state_;
};

// One frame in `one_in` comes late, by up to late_max, and one in `one_in` comes in pieces, some of one byte.
system_test::Between::Edit Delays(uint64_t seed, uint64_t one_in, std::chrono::microseconds late_max);

}  // namespace geeps::network_test

#endif  // GEEPS_TESTS_NETWORK_SCRIPT_H_
