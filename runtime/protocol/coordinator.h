// SPDX-License-Identifier: Apache-2.0
// Coordinator: the machine in rank 0 that brings workers together (HELLO, WELCOME), runs fences (ENTER, GO, FAIL;
// docs/protocol.md, section 10), and gives the one verdict about a lost worker (section 11). The first verdict wins
// and goes to all, the accused included.
// Pure: no clock, no sockets; times are nanoseconds given by the caller, which reads every connection as far as it
// goes before it calls OnTick. One call at a time. It is not on the per-clock path and may allocate. Inputs about
// ranks that do not exist or have not said HELLO are ignored.
#ifndef GEEPS_RUNTIME_PROTOCOL_COORDINATOR_H_
#define GEEPS_RUNTIME_PROTOCOL_COORDINATOR_H_

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/protocol/types.h"

namespace geeps::protocol {

inline constexpr uint32_t kProtocolVersion = 1;

// Why the job ended, or why a request was refused. `code` is the ABI's status.
struct Cause {
  int32_t code = 0;
  int32_t rank = -1;   // the worker at fault
  uint64_t clock = 0;  // last clock heard from it
  std::string text;    // one sentence
};

struct Hello {
  uint32_t protocol_version = kProtocolVersion;
  uint32_t rank = 0;
  uint32_t world = 0;
  uint64_t pid = 0;
  std::string host;
  std::string transport;  // name; must agree
  std::string address;    // the transport's address blob
};

struct Welcome {     // index: rank
  uint64_t job = 0;  // drawn by the coordinator's host; in every later handshake
  std::vector<std::string> hosts;
  std::vector<std::string> addresses;
};

enum class FenceKind : uint8_t { kCommit = 1, kFence = 2, kShutdown = 3 };

// What a worker declares at a commit, line by line: tables, then plans, then operations that must agree. Kept by the
// worker; the coordinator asks for it only when the digests differ, and compares two lists to name the first
// difference.
struct DeclarationLine {
  std::string subject;  // "table 'conv1'", "plan 'train', operation 3"
  std::string text;     // "20 rows of 26 f32, rule sgd, ..."
};

struct Enter {
  FenceKind kind = FenceKind::kFence;
  uint8_t phase = 1;  // 1: drained and ready; 2: allocated, and all own SETs acknowledged (commit; fence with sets)
  Clock clock = 0;
  uint64_t digest = 0;  // of all lines; commit, phase 1
  std::vector<uint32_t>
      maxima;  // values whose maximum over all workers comes back with GO (slacks by table); same length everywhere
  bool sets = false;    // phase 1 of a commit or fence: this worker has sets to be taken in (set.h)
  bool failed = false;  // phase 2: this worker could not allocate
  Cause cause;          // when failed
};

struct Go {
  FenceKind kind = FenceKind::kFence;
  uint8_t phase = 1;
  Clock clock = 0;  // where all workers stand
  // Commit, fence with sets: the epoch that begins with the GO of phase 2. Else the one that goes on.
  uint64_t epoch = 0;
  bool sets = false;  // some worker has sets; a fence has a second phase then
  std::vector<uint32_t> maxima;
};

struct CoordinatorEffect {
  enum class Kind : uint8_t {
    kWelcome,  // to every rank
    kReject,   // connection `connection`: cause, then close
    kGo,       // to every rank
    kFail,     // to every rank: the fence `go` (kind, phase, clock) failed because of `cause`, nothing changed, the job
               // goes on
    kFetch,    // ask `rank` for its declaration lines
    kDown,     // to every rank still connected, the accused included: verdict, once
    kLog,      // info line: who is missing
    kClosed,   // shutdown is over: connections may be closed, rank 0 last
  };
  Kind kind = Kind::kLog;
  uint64_t connection = 0;
  uint32_t rank = 0;
  Cause cause;
  Welcome welcome;
  Go go;
  std::string text;
};

class Coordinator {
 public:
  struct Options {
    uint32_t world = 1;
    uint64_t job = 0;
    uint64_t heartbeat_limit_ns = 0;             // a worker silent for longer is lost
    uint64_t missing_period_ns = 5'000'000'000;  // how often kLog tells who is missing, at HELLO and in fences
  };
  using Effects = std::vector<CoordinatorEffect>;

  Coordinator(const Options& options, uint64_t now_ns);

  // `connection` is the caller's name for a connection that has not been given a rank yet.
  void OnHello(uint64_t connection, const Hello& hello, uint64_t now_ns, Effects* effects);
  void OnEnter(uint32_t rank, const Enter& enter, uint64_t now_ns, Effects* effects);
  void OnLines(uint32_t rank, const std::vector<DeclarationLine>& lines, Effects* effects);
  void OnBeat(uint32_t rank, Clock clock, uint64_t now_ns, Effects* effects);
  // The worker says that it ends because of `cause` (its own error, abort, destroy without shutdown).
  void OnBye(uint32_t rank, const Cause& cause, Effects* effects);
  // `rank` saw something wrong with `suspect` (a data connection went down). A verdict only if the suspect stays silent
  // or closes within 100 ms; else the reporter's link is at fault and the suspect is still named.
  void OnSuspect(uint32_t rank, uint32_t suspect, const std::string& text, uint64_t now_ns, Effects* effects);
  // The connection of `rank` is closed and has been read to its end.
  void OnClosed(uint32_t rank, uint64_t now_ns, Effects* effects);
  void OnTick(uint64_t now_ns, Effects* effects);
  // When OnTick should be called next at the latest.
  uint64_t NextTick() const;

  bool down() const { return down_; }
  bool shut_down() const { return shut_down_; }
  // For the exhaustive search: fences and the verdict, without times and names.
  uint64_t StateDigest() const;

 private:
  struct Worker {
    bool present = false;  // said HELLO
    bool entered = false;  // stands in the fence, unanswered
    bool closed = false;
    bool fetched = false;  // lines have come
    uint64_t heard_ns = 0;
    Clock clock = 0;  // largest heard of
    Hello hello;
    Enter enter;
    std::vector<DeclarationLine> lines;
  };
  struct Suspicion {
    bool active = false;
    uint32_t reporter = 0;
    uint32_t suspect = 0;
    uint64_t begun_ns = 0;
    uint64_t deadline_ns = 0;
    std::string text;
  };

  bool Ignores(uint32_t rank) const;
  std::string NameOf(uint32_t rank) const;  // "rank 2 (host b, pid 41)"
  std::string NamesOfMissing() const;
  void Heard(uint32_t rank, Clock clock, uint64_t now_ns);
  bool CheckHello(const Hello& hello, Cause* refusal) const;
  void Reject(uint64_t connection, Cause cause, Effects* effects);
  void Lose(uint32_t rank, const std::string& why, Effects* effects);
  void Verdict(const Cause& cause, Effects* effects);
  bool AllPresent() const;
  void SendWelcome(uint64_t now_ns, Effects* effects);
  void CheckClocks(Effects* effects);
  void CompleteFence(Effects* effects);
  bool CheckKinds(Effects* effects);
  bool CheckDigests(Effects* effects);
  bool CheckFailures(Effects* effects);
  void GoOn(Effects* effects);
  void FailFence(const Cause& cause, Effects* effects);
  void LeaveFence();
  // Whether the fence under way has a second phase and begins an epoch. REQUIRES: all have entered.
  bool HasTwoPhases() const;
  bool AnySets() const;
  void CompareLines(Effects* effects);
  void CloseIfOver(Effects* effects);
  void JudgeSuspect(uint64_t now_ns, Effects* effects);
  void JudgeSilence(uint64_t now_ns, Effects* effects);
  void LogMissing(uint64_t now_ns, Effects* effects);
  bool Waiting() const;

  Options options_;
  std::vector<Worker> workers_;
  uint64_t epoch_ = 0;
  uint64_t logged_ns_;                  // when kLog was last due
  uint8_t phase_ = 1;                   // of the fence under way or of the next one
  FenceKind kind_ = FenceKind::kFence;  // phase 2: of the fence under way
  bool sets_ = false;                   // phase 2: as told by the first GO
  bool welcomed_ = false;
  bool fetching_ = false;
  uint32_t fetch_a_ = 0;  // lines of both are on the way
  uint32_t fetch_b_ = 0;
  bool down_ = false;
  bool shut_down_ = false;
  bool over_ = false;  // kClosed has been given
  Cause verdict_;
  Suspicion suspicion_;
};

}  // namespace geeps::protocol

#endif  // GEEPS_RUNTIME_PROTOCOL_COORDINATOR_H_
