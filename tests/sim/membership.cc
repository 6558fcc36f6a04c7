// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/membership.h"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "runtime/base/status.h"
#include "runtime/protocol/coordinator.h"
#include "tests/sim/random.h"

namespace geeps::sim {
namespace {

using protocol::Cause;
using protocol::CoordinatorEffect;
using protocol::Enter;
using protocol::FenceKind;
using protocol::Hello;
using Kind = CoordinatorEffect::Kind;

constexpr uint64_t kMs = 1'000'000;
constexpr uint64_t kNone = ~uint64_t{0};
constexpr uint64_t kStranger = 1000;  // the name of a connection that has no rank

enum class Fault { kNone, kClose, kSilence, kBye, kSuspect, kWrongEnter, kUneven, kCount };

// What is wrong with one fence, the first time it is tried.
enum class Flaw { kNone, kDigest, kBuild, kKind, kMaxima, kCount };

struct Round {
  FenceKind kind = FenceKind::kFence;
  uint64_t clock = 0;
  bool sets = false;
  Flaw flaw = Flaw::kNone;
  uint32_t flawed = 0;  // the worker it is at; not 0
};

struct Node {
  bool present = false;
  bool silent = false;  // says nothing any more
  bool closed = false;
  uint64_t clock = 0;
  uint32_t round = 0;
  uint32_t tries = 0;  // of this round's fence that failed
};

class Membership {
 public:
  explicit Membership(uint64_t seed) : random_(HashOf(seed, 3)), hash_(seed) {
    world_ = random_.Chance(80) ? random_.Between(2, 6) : random_.Between(9, 20);
    limit_ns_ = random_.Between(200, 5000) * kMs;
    protocol::Coordinator::Options options;
    options.world = world_;
    options.job = seed;
    options.heartbeat_limit_ns = limit_ns_;
    options.missing_period_ns = random_.Between(20, 5000) * kMs;
    coordinator_ = std::make_unique<protocol::Coordinator>(options, 0);
    nodes_.resize(world_);
    fault_ = static_cast<Fault>(random_.Below(static_cast<uint32_t>(Fault::kCount)));
    DrawRounds();
  }

  MembershipResult Run() {
    for (uint32_t rank = 0; rank < world_; ++rank) Arrive(rank);
    if (random_.Chance(50)) Greet(WrongHello());
    // Before all have met only a close ends the job.
    if (fault_ == Fault::kClose && random_.Chance(30)) At(Delay(300), [this] { Strike(); });
    Tick();
    while (!events_.empty() && violation_.empty()) {
      const auto first = events_.begin();
      now_ns_ = first->first.first;
      const std::function<void()> act = std::move(first->second);
      events_.erase(first);
      if (now_ns_ > deadline_ns_) Fail(absl::StrCat("no verdict, although ", what_, " at ", struck_ns_ / kMs, " ms"));
      act();
      if (now_ns_ > 600'000 * kMs) Fail("the job has not ended after ten minutes");
      if (num_inputs_ > 1'000'000) Fail("time stands still: the coordinator wants to be called again and again");
    }
    CheckEnd();
    MembershipResult result;
    result.violation = violation_;
    result.num_inputs = num_inputs_;
    result.verdict = verdict_;
    result.hash = hash_.value();
    return result;
  }

 private:
  void Fail(const std::string& text) {
    if (violation_.empty()) violation_ = absl::StrCat(text, " (", world_, " workers, at ", now_ns_ / kMs, " ms)");
  }
  void At(uint64_t delay_ns, std::function<void()> act) {
    events_.emplace(std::pair(now_ns_ + delay_ns, next_event_++), std::move(act));
  }
  uint64_t Delay(uint32_t most_ms) { return random_.Between(1, most_ms * 1000) * 1000; }

  void DrawRounds() {
    const uint32_t num = random_.Between(1, 6);
    uint64_t clock = 0;
    for (uint32_t i = 0; i <= num; ++i) {
      Round round;
      round.kind = i == num ? FenceKind::kShutdown : random_.Chance(60) ? FenceKind::kCommit : FenceKind::kFence;
      clock += random_.Below(4);
      round.clock = clock;
      round.sets = round.kind == FenceKind::kFence && random_.Chance(50);
      round.flawed = random_.Between(1, world_ - 1);
      const bool two_phases = round.kind == FenceKind::kCommit || round.sets;
      round.flaw = static_cast<Flaw>(random_.Below(static_cast<uint32_t>(Flaw::kCount)));
      if (round.flaw == Flaw::kDigest && round.kind != FenceKind::kCommit) round.flaw = Flaw::kNone;
      if (round.flaw == Flaw::kBuild && !two_phases) round.flaw = Flaw::kNone;
      rounds_.push_back(round);
    }
  }

  // --- what workers do ---

  Hello RightHello(uint32_t rank) const {
    Hello hello;
    hello.rank = rank;
    hello.world = world_;
    hello.pid = 100 + rank;
    hello.host = absl::StrCat("h", rank % 3);
    hello.transport = "tcp";
    hello.address = absl::StrCat("address ", rank);
    return hello;
  }

  Hello WrongHello() {
    Hello hello = RightHello(0);
    switch (random_.Below(5)) {
      case 0:
        ++hello.protocol_version;
        break;
      case 1:
        ++hello.world;
        break;
      case 2:
        hello.rank = world_ + random_.Below(3);
        break;
      case 3:
        hello.rank = ~uint32_t{0};
        break;
      default:
        wrong_is_late_ = true;
        break;  // the rank is taken, or the transport another one
    }
    if (wrong_is_late_ && random_.Chance(50)) hello.transport = "other";
    return hello;
  }

  void Arrive(uint32_t rank) {
    At(Delay(2000), [this, rank] {
      if (verdict_) return;
      nodes_[rank].present = true;
      Input(HashOf(1, rank), [&](auto* effects) { coordinator_->OnHello(rank, RightHello(rank), now_ns_, effects); });
    });
  }

  // A greeting that is refused: those that collide with others come when these are there.
  void Greet(const Hello& hello) {
    At(wrong_is_late_ ? 2500 * kMs : Delay(2500), [this, hello] {
      refusals_due_ = 1;
      Input(2, [&](auto* effects) { coordinator_->OnHello(kStranger, hello, now_ns_, effects); });
      if (refusals_due_ != 0) Fail("a wrong greeting was taken");
    });
  }

  void Beat(uint32_t rank) {
    Node* const node = &nodes_[rank];
    if (node->silent || node->closed || ended_) return;
    Input(HashOf(3, rank), [&](auto* effects) { coordinator_->OnBeat(rank, node->clock, now_ns_, effects); });
    // Late, but never as late as the limit.
    const uint64_t late = random_.Chance(5) ? limit_ns_ / 2 : limit_ns_ / 10;
    At(late + Delay(1), [this, rank] { Beat(rank); });
  }

  // Walks to the next fence.
  void GoOn(uint32_t rank) {
    Node* const node = &nodes_[rank];
    if (node->silent || node->closed || verdict_ || node->round >= rounds_.size()) return;
    const Round& round = rounds_[node->round];
    if (node->clock < round.clock) {
      ++node->clock;
      At(Delay(40), [this, rank] { GoOn(rank); });
      return;
    }
    At(Delay(random_.Chance(3) ? 3000 : 40), [this, rank] { EnterFence(rank, 1); });
  }

  void EnterFence(uint32_t rank, uint8_t phase) {
    Node* const node = &nodes_[rank];
    if (node->silent || node->closed || verdict_ || node->round >= rounds_.size()) return;
    const Round& round = rounds_[node->round];
    const bool flawed = round.flawed == rank && node->tries == 0;
    Enter enter;
    enter.kind = round.kind;
    enter.phase = phase;
    enter.clock = node->clock;
    enter.digest = 77;
    enter.maxima = {rank, 5};
    enter.sets = round.sets && rank == round.flawed;
    if (phase == 1 && flawed && round.flaw == Flaw::kDigest) enter.digest = 78;
    if (phase == 1 && flawed && round.flaw == Flaw::kMaxima) enter.maxima = {rank};
    if (phase == 1 && flawed && round.flaw == Flaw::kKind) {
      enter.kind = round.kind == FenceKind::kCommit ? FenceKind::kFence : FenceKind::kCommit;
    }
    if (phase == 2 && flawed && round.flaw == Flaw::kBuild) {
      enter.failed = true;
      enter.cause.code = random_.Chance(50) ? static_cast<int32_t>(Code::kNoMemory) : 3;
      enter.cause.text = "no memory";
    }
    const uint64_t answers = num_answers_;
    Input(HashOf(4, rank, phase), [&](auto* effects) { coordinator_->OnEnter(rank, enter, now_ns_, effects); });
    if (answers == num_answers_ && random_.Chance(10)) {  // a repetition says nothing new
      Input(HashOf(5, rank), [&](auto* effects) { coordinator_->OnEnter(rank, enter, now_ns_, effects); });
    }
  }

  void SendLines(uint32_t rank) {
    std::vector<protocol::DeclarationLine> lines = {{"table 'a'", "4 rows"}, {"plan 'p'", "reads 'a'"}};
    if (rank != 0) {
      switch (lines_differ_) {
        case 0:
          lines[1].text = "reads nothing";
          break;
        case 1:
          lines[0].subject = "table 'b'";
          break;
        case 2:
          lines.pop_back();
          break;
        case 3:
          lines.push_back({"plan 'q'", "reads 'a'"});
          break;
        default:
          break;  // the same lines, another digest
      }
    }
    At(Delay(20), [this, rank, lines] {
      if (nodes_[rank].silent || nodes_[rank].closed) return;
      Input(HashOf(6, rank), [&](auto* effects) { coordinator_->OnLines(rank, lines, effects); });
    });
  }

  void CloseNode(uint32_t rank) {
    nodes_[rank].closed = true;
    Input(HashOf(7, rank), [&](auto* effects) { coordinator_->OnClosed(rank, now_ns_, effects); });
    if (random_.Chance(20)) Input(8, [&](auto* effects) { coordinator_->OnClosed(rank, now_ns_, effects); });
  }

  // --- the fault ---

  void Expect(const std::string& what, uint64_t within_ns, uint32_t rank) {
    if (verdict_ || ended_) return;
    what_ = what;
    struck_ns_ = now_ns_;
    accused_ = rank;
    deadline_ns_ = now_ns_ + within_ns;
  }

  void Strike() {
    if (verdict_ || ended_) return;
    const uint32_t rank = random_.Between(1, world_ - 1);
    Node* const node = &nodes_[rank];
    if (!node->present || (fault_ != Fault::kClose && !welcomed_)) return;
    switch (fault_) {
      case Fault::kClose:
        Expect(absl::StrCat("rank ", rank, " closed"), 0, rank);
        return CloseNode(rank);
      case Fault::kSilence:
        Expect(absl::StrCat("rank ", rank, " fell silent"), limit_ns_, rank);
        node->silent = true;
        return;
      case Fault::kBye:
        return SayBye(rank);
      case Fault::kSuspect:
        return Suspect(rank);
      case Fault::kWrongEnter: {
        Enter enter;
        enter.kind = random_.Chance(50) ? static_cast<FenceKind>(9) : FenceKind::kShutdown;
        enter.phase = enter.kind == FenceKind::kShutdown ? 2 : 1;
        enter.clock = node->clock;
        Expect(absl::StrCat("rank ", rank, " entered a fence that was not due"), 0, rank);
        Input(9, [&](auto* effects) { coordinator_->OnEnter(rank, enter, now_ns_, effects); });
        return;
      }
      case Fault::kUneven:
        // All stand in fences sooner or later, except for this one, which has gone beyond every fence.
        Expect(absl::StrCat("rank ", rank, " went beyond the fences"), kNone - now_ns_, rank);
        node->clock = rounds_.back().clock + 1;
        node->round = static_cast<uint32_t>(rounds_.size()) - 1;
        return;
      default:
        return;
    }
  }

  void SayBye(uint32_t rank) {
    Cause cause;
    cause.clock = random_.Chance(50) ? nodes_[rank].clock : 0;
    cause.text = "the loss is not a number";
    uint32_t accused = rank;
    switch (random_.Below(4)) {
      case 0:
        cause.code = static_cast<int32_t>(Code::kAborted);
        break;
      case 1:
        cause.code = static_cast<int32_t>(Code::kPeerLost);
        break;
      case 2:
        cause.code = 4;
        break;
      default:
        cause.code = static_cast<int32_t>(Code::kData);
        accused = (rank + 1) % world_;
        cause.rank = static_cast<int32_t>(accused);
        break;
    }
    Expect(absl::StrCat("rank ", rank, " said goodbye"), 0, accused);
    Input(HashOf(10, rank), [&](auto* effects) { coordinator_->OnBye(rank, cause, effects); });
  }

  // The suspect goes on, falls silent, or closes.
  void Suspect(uint32_t rank) {
    const uint32_t suspect = (rank + 1) % world_;
    const uint32_t way = suspect == 0 ? 0 : random_.Below(3);
    if (way == 1) nodes_[suspect].silent = true;
    Expect(absl::StrCat("rank ", suspect, " was suspected"), 100 * kMs, suspect);
    const std::string text = random_.Chance(50) ? "connection reset" : "";
    Input(HashOf(11, rank), [&](auto* effects) { coordinator_->OnSuspect(rank, suspect, text, now_ns_, effects); });
    Input(12, [&](auto* effects) { coordinator_->OnSuspect(suspect, rank, "too late", now_ns_, effects); });
    if (way == 2) At(Delay(90), [this, suspect] { CloseNode(suspect); });
  }

  // --- what the coordinator does ---

  // One input; then its effects. After the verdict, and for ranks that are none, there must be none.
  template <typename Give>
  void Input(uint64_t what, Give give) {
    const bool was_down = verdict_;
    ++num_inputs_;
    std::vector<CoordinatorEffect> effects;
    give(&effects);
    hash_.Add(HashOf(now_ns_, what, effects.size()));
    for (const CoordinatorEffect& effect : effects) {
      hash_.Add(HashOf(static_cast<uint64_t>(effect.kind), effect.rank, effect.go.epoch, effect.go.clock));
      if (was_down && effect.kind != Kind::kReject) Fail("something behind the verdict");
      Take(effect);
    }
    Tick();
  }

  // Only at the moments at which the coordinator wants to be called.
  void Tick() {
    const uint64_t next_ns = coordinator_->NextTick();
    if (next_ns == tick_ns_ || next_ns == kNone || ended_) return;
    tick_ns_ = next_ns;
    At(next_ns > now_ns_ ? next_ns - now_ns_ : 0, [this, next_ns] {
      if (next_ns != tick_ns_) return;  // another one has taken its place
      tick_ns_ = 0;
      Input(13, [&](auto* effects) { coordinator_->OnTick(now_ns_, effects); });
    });
  }

  void Take(const CoordinatorEffect& effect) {
    switch (effect.kind) {
      case Kind::kWelcome:
        return OnWelcome(effect.welcome);
      case Kind::kReject:
        if (refusals_due_ == 0 || effect.cause.code >= 0 || effect.cause.text.empty())
          Fail("a right greeting was refused");
        refusals_due_ = 0;
        return;
      case Kind::kGo:
        ++num_answers_;
        return OnGo(effect.go);
      case Kind::kFail:
        ++num_answers_;
        return OnFail(effect);
      case Kind::kFetch:
        if (effect.rank == 0) lines_differ_ = random_.Below(5);
        return SendLines(effect.rank);
      case Kind::kDown:
        return OnDown(effect.cause);
      case Kind::kLog:
        if (effect.text.find("waits") == std::string::npos) Fail(absl::StrCat("an odd line: ", effect.text));
        return;
      case Kind::kClosed:
        if (over_ || !ended_) Fail("over twice, or before the shutdown");
        over_ = true;
        return;
    }
  }

  void OnWelcome(const protocol::Welcome& welcome) {
    if (welcomed_ || welcome.addresses.size() != world_ || welcome.addresses[1] != "address 1") Fail("a wrong welcome");
    welcomed_ = true;
    for (uint32_t rank = 0; rank < world_; ++rank) {
      if (!nodes_[rank].present) return Fail("welcome before all have come");
      Beat(rank);
      GoOn(rank);
    }
    const uint64_t span_ms = 50 + 60 * rounds_.size();
    At(Delay(static_cast<uint32_t>(span_ms)), [this] { Strike(); });
    // Ranks that are none are nobody's fault.
    Input(14, [&](auto* effects) { coordinator_->OnBeat(world_ + 3, 1000, now_ns_, effects); });
    Input(15, [&](auto* effects) { coordinator_->OnBye(world_, Cause(), effects); });
  }

  void OnGo(const protocol::Go& go) {
    const Round& round = rounds_[round_];
    if (go.kind != round.kind || go.clock != round.clock) Fail("GO for another fence");
    if (go.maxima != std::vector<uint32_t>{world_ - 1, 5}) Fail("wrong maxima");
    const bool two_phases = round.kind == FenceKind::kCommit || round.sets;
    if (go.epoch != epoch_ + (two_phases ? 1 : 0)) Fail("GO with another epoch");
    if (two_phases && go.phase == 1) {
      for (uint32_t rank = 0; rank < world_; ++rank) At(Delay(30), [this, rank] { EnterFence(rank, 2); });
      return;
    }
    epoch_ = go.epoch;
    ++round_;
    ended_ = go.kind == FenceKind::kShutdown;
    if (ended_) deadline_ns_ = kNone;  // nobody is needed any more
    for (uint32_t rank = 0; rank < world_; ++rank) {
      nodes_[rank].tries = 0;
      ++nodes_[rank].round;
      if (ended_) {
        At(Delay(50), [this, rank] { CloseNode(rank); });
      } else {
        GoOn(rank);
      }
    }
  }

  void OnFail(const CoordinatorEffect& effect) {
    const Round& round = rounds_[round_];
    if (round.flaw == Flaw::kNone || nodes_[0].tries > 0) return Fail("a fence without a flaw failed");
    if (effect.cause.code >= 0 || effect.cause.rank != static_cast<int32_t>(round.flawed)) {
      return Fail(absl::StrCat("a fence failed with code ", effect.cause.code, " and rank ", effect.cause.rank));
    }
    for (uint32_t rank = 0; rank < world_; ++rank) {
      ++nodes_[rank].tries;
      At(Delay(30), [this, rank] { EnterFence(rank, 1); });
    }
  }

  void OnDown(const Cause& cause) {
    if (verdict_) return Fail("a second verdict");
    verdict_ = true;
    if (what_.empty()) return Fail(absl::StrCat("a verdict without a fault: ", cause.text));
    deadline_ns_ = kNone;
    if (cause.code >= 0 || cause.text.empty()) Fail("a verdict without a cause");
    if (cause.rank != static_cast<int32_t>(accused_)) {
      Fail(absl::StrCat("rank ", cause.rank, " is accused, although ", what_, ": ", cause.text));
    }
    // What workers still say.
    for (uint32_t rank = 0; rank < world_; ++rank) {
      At(Delay(20), [this, rank] {
        refusals_due_ = 1;
        Input(16, [&](auto* effects) { coordinator_->OnHello(kStranger, RightHello(rank), now_ns_, effects); });
        Input(17, [&](auto* effects) { coordinator_->OnBye(rank, Cause(), effects); });
        CloseNode(rank);
      });
    }
  }

  void CheckEnd() {
    if (!violation_.empty()) return;
    if (verdict_ || (!what_.empty() && !ended_)) {
      if (!verdict_) Fail(absl::StrCat("no verdict, although ", what_));
      return;
    }
    if (!ended_ || !over_) Fail("the job did not come to its end");
    hash_.Add(coordinator_->StateDigest());
  }

  Random random_;
  Hasher hash_;
  uint32_t world_ = 0;
  uint64_t limit_ns_ = 0;
  std::unique_ptr<protocol::Coordinator> coordinator_;
  std::vector<Node> nodes_;
  std::vector<Round> rounds_;
  std::map<std::pair<uint64_t, uint64_t>, std::function<void()>> events_;  // by time and order
  uint64_t now_ns_ = 0;
  uint64_t next_event_ = 0;
  uint64_t tick_ns_ = 0;
  uint64_t num_inputs_ = 0;
  uint64_t num_answers_ = 0;  // of fences
  bool wrong_is_late_ = false;
  uint32_t refusals_due_ = 0;
  uint32_t lines_differ_ = 0;
  uint32_t round_ = 0;
  uint64_t epoch_ = 0;
  bool welcomed_ = false;
  bool ended_ = false;  // the shutdown is passed
  bool over_ = false;
  Fault fault_ = Fault::kNone;
  std::string what_;  // the fault that was made
  uint64_t struck_ns_ = 0;
  uint64_t deadline_ns_ = kNone;  // of the verdict
  uint32_t accused_ = 0;
  bool verdict_ = false;
  std::string violation_;
};

}  // namespace

MembershipResult RunMembership(uint64_t seed) { return Membership(seed).Run(); }

}  // namespace geeps::sim
