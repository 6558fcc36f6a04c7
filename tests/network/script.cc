// SPDX-License-Identifier: Apache-2.0
#include "tests/network/script.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <tuple>
#include <utility>

#include "tests/system/frames.h"
#include "tests/system/scenario.h"

namespace geeps::network_test {
namespace {

using system_test::Random;

const char* NameOf(Sort sort) {
  switch (sort) {
    case Sort::kOpening:
      return "opening";
    case Sort::kBeat:
      return "beat";
    case Sort::kControl:
      return "control message";
    case Sort::kMessage:
      return "message";
    case Sort::kPayload:
      return "payload";
  }
  return "";
}

const char* NameOf(Part part) {
  switch (part) {
    case Part::kFront:
      return "front";
    case Part::kHeader:
      return "header";
    case Part::kBody:
      return "body";
    case Part::kTrailer:
      return "trailer";
  }
  return "";
}

const char* NameOf(Passage::Then then) {
  switch (then) {
    case Passage::Then::kGoOn:
      return "nothing";
    case Passage::Then::kStall:
      return "a stall";
    case Passage::Then::kEnd:
      return "the end of the connection";
    case Passage::Then::kReset:
      return "a reset";
  }
  return "";
}

Sort SortOf(const Way& way, const std::string& frame, bool is_first) {
  if (is_first) return Sort::kOpening;
  if (way.kind == LinkKind::kControl) return system_test::IsBeat(frame) ? Sort::kBeat : Sort::kControl;
  const size_t heads = system_test::DataHeaderBytes() + system_test::MessageHeaderBytes(frame);
  return frame.size() > heads ? Sort::kPayload : Sort::kMessage;
}

struct Range {
  size_t begin = 0;
  size_t end = 0;
};

// Where the part lies. A part that the frame does not have: all of it.
Range PlaceOf(Part part, const Way& way, Sort sort, const std::string& frame) {
  const bool control = way.kind == LinkKind::kControl;
  const size_t front = control ? system_test::ControlHeaderBytes() : system_test::DataHeaderBytes();
  const size_t header = control || sort == Sort::kOpening ? 0 : system_test::MessageHeaderBytes(frame);
  const size_t trailer = sort == Sort::kPayload ? sizeof(uint32_t) : 0;
  const bool opens_data = !control && sort == Sort::kOpening;
  Range range;
  switch (part) {
    case Part::kFront:
      range = {0, opens_data ? frame.size() : front};
      break;
    case Part::kHeader:
      range = {front, front + header};
      break;
    case Part::kBody:
      range = {front + header, frame.size() - trailer};
      break;
    case Part::kTrailer:
      range = {frame.size() - trailer, frame.size()};
      break;
  }
  const bool there = !opens_data && range.begin < range.end && range.end <= frame.size();
  return there ? range : Range{0, frame.size()};
}

Passage Unchanged(const std::string& frame) { return {{frame}, {}, Passage::Then::kGoOn}; }

}  // namespace

Deed Flip(Part part, uint64_t seed) {
  return {std::string("one bit of its ") + NameOf(part), [=](const Way& way, Sort sort, const std::string& frame) {
            const Range place = PlaceOf(part, way, sort, frame);
            Random random(seed);
            std::string changed = frame;
            char& byte = changed[place.begin + random.Below(place.end - place.begin)];
            byte = static_cast<char>(byte ^ (1 << random.Below(8)));
            return Unchanged(changed);
          }};
}

Deed Twice() {
  return {"twice", [](const Way&, Sort, const std::string& frame) {
            return Passage{{frame, frame}, {}, Passage::Then::kGoOn};
          }};
}

Deed Swap() { return {"behind the next one", nullptr, true}; }

Deed Drop() {
  return {"left out", [](const Way&, Sort, const std::string&) { return Passage(); }};
}

Deed Shorten(Part part, uint64_t seed) {
  return {std::string("some bytes of its ") + NameOf(part) + " left out",
          [=](const Way& way, Sort sort, const std::string& frame) {
            const Range place = PlaceOf(part, way, sort, frame);
            Random random(seed);
            std::string changed = frame;
            const size_t begin = place.begin + random.Below(place.end - place.begin);
            changed.erase(begin, 1 + random.Below(std::min<size_t>(place.end - begin, 100)));
            return Unchanged(changed);
          }};
}

Deed Noise(uint64_t seed) {
  return {"noise before it", [=](const Way&, Sort, const std::string& frame) {
            Random random(seed);
            std::string noise(1 + random.Below(100), '\0');
            for (char& byte : noise) byte = static_cast<char>(random.Below(256));
            return Unchanged(noise + frame);
          }};
}

Deed Break(Passage::Then then) {
  return {std::string(NameOf(then)) + " before it", [=](const Way&, Sort, const std::string&) {
            return Passage{{}, {}, then};
          }};
}

Deed BreakWithin(Part part, Passage::Then then) {
  return {std::string(NameOf(then)) + " within its " + NameOf(part),
          [=](const Way& way, Sort sort, const std::string& frame) {
            const Range place = PlaceOf(part, way, sort, frame);
            return Passage{{frame.substr(0, (place.begin + place.end) / 2)}, {}, then};
          }};
}

struct Script::State {
  Fault fault;
  std::function<bool(const Way&)> silenced;
  std::mutex mutex;  // of what follows up to struck: a worker may connect again
  uint64_t num_frames = 0;
  uint64_t num_of_sort = 0;
  bool holds = false;
  std::string held;
  bool followed = false;  // a frame has come after the one that the fault is done to
  std::atomic<bool> was_last{false};
  std::atomic<bool> struck{false};
  std::chrono::steady_clock::time_point time;  // written before struck

  bool Is(const Way& way) const {
    return way.kind == fault.way.kind && way.from == fault.way.from && way.to == fault.way.to;
  }
  void Strike() {
    time = std::chrono::steady_clock::now();
    struck.store(true);
  }
  Passage Edit(const Way& way, const std::string& frame) {
    if (!Is(way)) {
      const bool silent = struck.load() && silenced && silenced(way);
      return silent ? Passage{{}, {}, Passage::Then::kStall} : Unchanged(frame);
    }
    const std::lock_guard<std::mutex> lock(mutex);
    if (holds || (struck.load() && !followed)) {
      followed = true;
      was_last.store(way.kind == LinkKind::kControl && system_test::IsGoodbye(frame));
    }
    if (holds) {
      holds = false;
      Strike();
      return {{frame, held}, {}, Passage::Then::kGoOn};
    }
    const Sort sort = SortOf(way, frame, num_frames++ == 0);
    if (struck.load() || sort != fault.sort || num_of_sort++ != fault.nth) return Unchanged(frame);
    if (fault.deed.swaps) {
      holds = true;
      held = frame;
      return {};
    }
    Strike();
    return fault.deed.act(way, sort, frame);
  }
};

Script::Script(Fault fault, std::function<bool(const Way&)> silenced) : state_(std::make_shared<State>()) {
  state_->fault = std::move(fault);
  state_->silenced = std::move(silenced);
}

std::string Script::name() const {
  const Fault& fault = state_->fault;
  return std::string(NameOf(fault.sort)) + " " + std::to_string(fault.nth) + " on the " +
         (fault.way.kind == LinkKind::kControl ? "control" : "data") + " connection from rank " +
         std::to_string(fault.way.from) + " to rank " + std::to_string(fault.way.to) + ": " + fault.deed.name;
}

system_test::Between::Edit Script::edit() const {
  return [state = state_](const Way& way, const std::string& frame) { return state->Edit(way, frame); };
}

bool Script::struck() const { return state_->struck.load(); }

bool Script::was_last() const { return state_->was_last.load(); }

std::chrono::steady_clock::time_point Script::time() const { return state_->time; }

system_test::Between::Edit Delays(uint64_t seed, uint64_t one_in, std::chrono::microseconds late_max) {
  struct State {
    std::mutex mutex;
    std::map<std::tuple<LinkKind, uint32_t, uint32_t>, uint64_t> num_frames;
  };
  return [=, state = std::make_shared<State>()](const Way& way, const std::string& frame) {
    uint64_t number = 0;
    {
      const std::lock_guard<std::mutex> lock(state->mutex);
      number = state->num_frames[{way.kind, way.from, way.to}]++;
    }
    Random random(seed * 1'000'003 + number * 64 + way.from * 8 + way.to * 2 + (way.kind == LinkKind::kData ? 1 : 0));
    Passage passage;
    if (random.OneIn(one_in)) {
      passage.late = std::chrono::microseconds(random.Below(static_cast<uint64_t>(late_max.count())));
    }
    if (!random.OneIn(one_in)) {
      passage.writes = {frame};
      return passage;
    }
    // The headers byte by byte, or cuts anywhere.
    const bool bytewise = random.OneIn(2);
    for (size_t begin = 0; begin < frame.size();) {
      const size_t piece = bytewise && begin < 200 ? 1 : 1 + random.Below(frame.size() - begin);
      passage.writes.push_back(frame.substr(begin, piece));
      begin += piece;
    }
    return passage;
  };
}

}  // namespace geeps::network_test
