// SPDX-License-Identifier: Apache-2.0
// The walker of geeps.hpp on a runtime of one worker.
#include <geeps.hpp>

#include <doctest/doctest.h>

namespace {

struct Alone {
  Alone() : rt(geeps::Options{}, err) {
    rt.Start(err);
    table = geeps::Table(rt, "values", 2, 3, GEEPS_F32, {{"rule", "add"}}, err);
    local = geeps::Local(rt, "scratch", 2, 8, err);
    REQUIRE_MESSAGE(err.ok(), err.message());
  }
  geeps::Error err;
  geeps::Runtime rt;
  geeps::Table table;
  geeps::Local local;
  const geeps::Rows all = geeps::Rows::All();
};

}  // namespace

TEST_CASE("geeps.hpp: one body records a plan and walks it; what was added is read at the next clock") {
  Alone a;
  float seen = -1;
  int live_bodies = 0;
  const auto body = [&](geeps::Walker& w) {
    geeps::Access values = w.Read(a.table, a.all, 0);
    CHECK(w.live() == (values.data<float>() != nullptr));
    if (w.live()) seen = values.data<float>()[5];
    w.PostRead(values);
    geeps::Access add = w.PreUpdate(a.table, a.all, GEEPS_UPDATE_ZEROED);
    if (w.live()) add.data<float>()[5] += 2, ++live_bodies;
    w.Update(add);
  };
  geeps::Walker walker(a.rt, "add", a.err);
  walker.Record(body);
  CHECK(seen == -1);
  a.rt.Commit({walker.plan()}, a.err);
  for (int clock = 0; clock < 5; ++clock) {
    walker.Walk(body);
    CHECK(seen == 2.0f * clock);
  }
  CHECK(live_bodies == 5);
  CHECK(a.rt.info(a.err).clock == 5);
  CHECK(!walker.recorded().Explain("text", a.err).empty());
  CHECK(!a.rt.stats(a.err).empty());
  a.rt.Shutdown(a.err);
  CHECK_MESSAGE(a.err.ok(), a.err.message());
}

TEST_CASE("geeps.hpp: local data kept in one pass is fetched in one of another plan, begun by the walk before") {
  Alone a;
  const auto keep = [&](geeps::Walker& w) {
    geeps::Access scratch = w.AccessLocal(a.local, a.all, GEEPS_LOCAL_KEEP);
    if (w.live()) scratch.data<char>()[15] = 42;
    w.PostLocal(scratch);
  };
  char fetched = 0;
  const auto fetch = [&](geeps::Walker& w) {
    geeps::Access scratch = w.AccessLocal(a.local, a.all, GEEPS_LOCAL_FETCH);
    if (w.live()) fetched = scratch.data<char>()[15];
    w.PostLocal(scratch);
  };
  geeps::Walker first(a.rt, "keep", a.err), second(a.rt, "fetch", a.err);
  first.Record(keep);
  second.Record(fetch, GEEPS_PLAN_NO_CLOCK);
  a.rt.Commit({first.plan(), second.plan()}, a.err);
  first.Walk(keep, &second);
  second.Walk(fetch);
  CHECK_MESSAGE(a.err.ok(), a.err.message());
  CHECK(fetched == 42);
}

TEST_CASE("geeps.hpp: an optional operation may be skipped before it begins or handed back unused") {
  Alone a;
  enum { kAdd, kSkip, kHandBack } what = kAdd;
  float seen = -1;
  const auto body = [&](geeps::Walker& w) {
    if (w.recording() || what != kSkip) {
      geeps::Access add = w.PreUpdate(a.table, a.all, GEEPS_UPDATE_ZEROED | GEEPS_OP_OPTIONAL);
      if (w.live()) add.data<float>()[0] = 1;
      if (w.recording() || what == kAdd) {
        w.Update(add);
      } else {
        w.Skip(add);
      }
    } else {
      w.SkipNext();
    }
    geeps::Access values = w.Read(a.table, a.all, 0);
    if (w.live()) seen = values.data<float>()[0];
    w.PostRead(values);
  };
  geeps::Walker walker(a.rt, "add", a.err);
  walker.Record(body);
  a.rt.Commit({walker.plan()}, a.err);
  for (auto next : {kAdd, kSkip, kHandBack, kAdd, kSkip}) {
    what = next;
    walker.Walk(body);
  }
  CHECK_MESSAGE(a.err.ok(), a.err.message());
  CHECK(seen == 2);
}

TEST_CASE("geeps.hpp: a walk that differs from its recording is refused by name, and then nothing more happens") {
  Alone a;
  bool other = false;
  int live_bodies = 0;
  const auto body = [&](geeps::Walker& w) {
    if (other) {
      w.PostLocal(w.AccessLocal(a.local, a.all));
    } else {
      w.PostRead(w.Read(a.table, a.all, 0));
    }
    live_bodies += w.live() ? 1 : 0;
  };
  geeps::Walker walker(a.rt, "twisted", a.err);
  walker.Record(body);
  a.rt.Commit({walker.plan()}, a.err);
  walker.Walk(body);
  REQUIRE_MESSAGE(a.err.ok(), a.err.message());
  other = true;
  walker.Walk(body);
  CHECK(a.err.status() == GEEPS_E_STATE);
  CHECK(std::string(a.err.message()).find("'twisted'") != std::string::npos);
  walker.Walk(body);
  CHECK(live_bodies == 1);
}

TEST_CASE("geeps.hpp: a failure to create leaves nothing to call, and the calls after it do nothing") {
  geeps::Error err;
  geeps::Runtime rt(geeps::Options{{"no-such-option", "1"}}, err);
  CHECK(err.status() == GEEPS_E_INVALID);
  const std::string first = err.message();
  rt.Start(err);
  geeps::Table table(rt, "t", 1, 1, GEEPS_F32, {}, err);
  rt.Commit({}, err);
  CHECK(err.message() == first);
  CHECK(std::string(err.status_name()) == "GEEPS_E_INVALID");
}
