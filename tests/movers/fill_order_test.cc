// SPDX-License-Identifier: Apache-2.0
#include "runtime/movers/fill_order.h"

#include <doctest/doctest.h>

#include <atomic>

namespace geeps::movers {

TEST_CASE("FillOrder: words are told in the order of the work, when all that was put before them is over") {
  FillOrder order;
  CHECK(!order.MayLast());
  CHECK(order.HasEnded());
  std::atomic<uint64_t> first{0}, second{0};
  const uint64_t a = order.Put();
  const uint64_t first_end = order.TellEnd(&first);
  const uint64_t b = order.Put();
  const uint64_t c = order.Put();
  const uint64_t second_end = order.TellEnd(&second);
  CHECK(first_end != 0);
  CHECK(second_end > first_end);

  CHECK(order.OnEnd(a));
  CHECK(first == first_end);
  CHECK(second == 0);
  CHECK(!order.OnEnd(b));
  CHECK(order.MayLast());
  CHECK(!order.HasEnded());
  CHECK(order.OnEnd(c));
  CHECK(second == second_end);
  CHECK(!order.MayLast());
  CHECK(order.HasEnded());
}

TEST_CASE("FillOrder: the end of work is that of all before it, and an end that is told late changes nothing more") {
  FillOrder order;
  std::atomic<uint64_t> word{0};
  const uint64_t a = order.Put();
  const uint64_t end = order.TellEnd(&word);
  const uint64_t b = order.Put();
  CHECK(order.OnEnd(b));
  CHECK(word == end);
  CHECK(!order.MayLast());
  CHECK(!order.HasEnded());
  CHECK(!order.OnEnd(a));
  CHECK(order.HasEnded());
}

TEST_CASE("FillOrder: a word that is told again has the number of the later work in the end") {
  FillOrder order;
  std::atomic<uint64_t> word{0};
  const uint64_t a = order.Put();
  order.TellEnd(&word);
  const uint64_t b = order.Put();
  const uint64_t wanted = order.TellEnd(&word);
  order.OnEnd(a);
  CHECK(word != wanted);
  order.OnEnd(b);
  CHECK(word == wanted);
}

}  // namespace geeps::movers
