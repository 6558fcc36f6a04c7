// SPDX-License-Identifier: Apache-2.0
// Between: stands on the way of every connection between the workers of one job over tcp, the control connections to
// rank 0 and the data connections, and does to each frame what a network, or a peer that breaks the protocol, could do:
// lets it pass late, in pieces, changed, twice, in part or not at all, and stalls or cuts the connection behind it. It
// comes there without the workers' help: all but rank 0 meet at its port, and in the HELLO that each of them sends it
// puts a port of its own in place of the one where the worker listens for data.
//
// Thread contract: constructed and destroyed by one thread, which destroys it after the runtimes; the edit is called by
// a thread for each direction of each connection. All threads end with the object, those of stalled directions, too.
#ifndef GEEPS_TESTS_SYSTEM_BETWEEN_H_
#define GEEPS_TESTS_SYSTEM_BETWEEN_H_

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace geeps::system_test {

enum class LinkKind : uint8_t { kControl, kData };

// One direction of one connection.
struct Way {
  LinkKind kind = LinkKind::kControl;
  uint32_t from = 0;  // ranks
  uint32_t to = 0;
};

// What goes on instead of a frame.
struct Passage {
  enum class Then : uint8_t {
    kGoOn,
    kStall,  // nothing more is read or written in this direction
    kEnd,    // both sides of the connection see its end
    kReset,  // both sides see it broken
  };
  std::vector<std::string> writes;    // one write each, in this order
  std::chrono::microseconds late{0};  // before the first
  Then then = Then::kGoOn;
};

class Between {
 public:
  // Gets each frame, whole, as it was sent. What a data connection begins with, the greeting of who connects and the
  // answer, counts as a frame.
  using Edit = std::function<Passage(const Way&, std::string frame)>;

  explicit Between(Edit edit);
  ~Between();
  Between(const Between&) = delete;
  Between& operator=(const Between&) = delete;

  // Where worker `rank` meets the others: rank 0 behind this object, the others at it.
  std::string RendezvousOf(uint32_t rank) const;

 private:
  // Where connections come in, and where they are taken on to.
  struct Door {
    LinkKind kind = LinkKind::kControl;
    int fd = -1;
    uint16_t port = 0;
    uint16_t behind = 0;  // where the worker listens
    uint32_t rank = 0;    // of that worker
  };
  struct Connection {
    Door door;
    int fds[2] = {-1, -1};  // to who connected, to who listens
    std::thread thread;
  };

  Door Open(LinkKind kind, uint16_t behind, uint32_t rank);
  void Accept();
  void Serve(Connection* connection);
  // Until the end of one of the two; `frame` is the first that `from` has sent, if it is read already.
  void Pass(Connection* connection, Way way, int from, std::string frame);
  std::string ReadFrame(const Connection& connection, int from, bool is_first) const;
  bool Forward(Connection* connection, const Way& way, int from, std::string frame);
  // The HELLO with a door for the worker's data.
  std::string Redirected(const std::string& hello, uint32_t* rank);
  // Sleeps; false when the object ends.
  bool Rest(std::chrono::microseconds time);
  void WakeAcceptor() const;

  const Edit edit_;
  int wake_fd_ = -1;
  uint16_t rank_0_port_ = 0;
  mutable std::mutex mutex_;  // of what follows
  std::condition_variable changed_;
  bool over_ = false;
  std::vector<Door> doors_;  // the first is the rendezvous
  std::list<Connection> connections_;
  std::thread acceptor_;
};

// An edit that changes what workers tell each other about rows outside plans (docs/protocol.md, R12), which travels
// through the coordinator, and lets all else pass. `change` gets header and payload of such a message and says what
// goes on instead; frames stay in sequence.
Between::Edit EditRows(std::function<std::vector<std::string>(bool to_rank_0, std::string message)> change);

}  // namespace geeps::system_test

#endif  // GEEPS_TESTS_SYSTEM_BETWEEN_H_
