// SPDX-License-Identifier: Apache-2.0
// FillOrder: the work in the fill stream that counts as done for whatever comes behind it there, numbered in its order,
// and who is to hear when it is over. Ends may be told late and in any order: that of one is that of all before it.
// Thread contract: one thread; the words that are told are read by others.
#ifndef GEEPS_RUNTIME_MOVERS_FILL_ORDER_H_
#define GEEPS_RUNTIME_MOVERS_FILL_ORDER_H_

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "runtime/movers/ring_queue.h"

namespace geeps::movers {

class FillOrder {
 public:
  // Work is put into the stream now. Returns its position; OnEnd will be called with it.
  uint64_t Put() {
    ++num_due_;
    return ++last_;
  }
  // Some that was put may still be under way.
  bool MayLast() const { return over_ < last_; }
  // Every end has been told.
  bool HasEnded() const { return num_due_ == 0; }
  // `word` becomes the number that is returned, never 0, when all that was put so far is over. REQUIRES: MayLast.
  uint64_t TellEnd(std::atomic<uint64_t>* word) {
    waiting_.Push(Waiting{last_, word});
    return last_;
  }
  // True when a word was told.
  bool OnEnd(uint64_t position) {
    --num_due_;
    over_ = std::max(over_, position);
    bool told = false;
    for (Waiting waiting; !waiting_.IsEmpty() && waiting_.at(0).position <= over_; told = true) {
      waiting_.Pop(&waiting);
      waiting.word->store(waiting.position, std::memory_order_seq_cst);
    }
    return told;
  }

 private:
  struct Waiting {
    uint64_t position = 0;
    std::atomic<uint64_t>* word = nullptr;
  };

  uint64_t last_ = 0;  // position of what was put last
  uint64_t over_ = 0;
  uint64_t num_due_ = 0;
  RingQueue<Waiting> waiting_;  // positions do not fall
};

}  // namespace geeps::movers

#endif  // GEEPS_RUNTIME_MOVERS_FILL_ORDER_H_
