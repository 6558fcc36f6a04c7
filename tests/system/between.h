// SPDX-License-Identifier: Apache-2.0
// Between: stands on the way of one worker to rank 0 and changes what the two tell each other about rows outside plans
// (docs/protocol.md, R12), which travels through the coordinator. So each of two real workers meets a peer that breaks
// the protocol. Thread contract: constructed and destroyed by one thread; the edit is called by a thread for each
// direction.
#ifndef GEEPS_TESTS_SYSTEM_BETWEEN_H_
#define GEEPS_TESTS_SYSTEM_BETWEEN_H_

#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace geeps::system_test {

class Between {
 public:
  // What goes on instead of a message about rows: header first, payload behind it.
  using Edit = std::function<std::vector<std::string>(bool to_rank_0, std::string message)>;

  // Waits for one connection at a port of its own.
  Between(uint16_t rank_0_port, Edit edit);
  ~Between();
  Between(const Between&) = delete;
  Between& operator=(const Between&) = delete;

  // 0: no port could be opened.
  uint16_t port() const { return port_; }

 private:
  void Run(uint16_t rank_0_port);
  // Until one side closes.
  void Pass(int from, int to, bool to_rank_0);
  std::string Edited(const std::string& frame, bool to_rank_0) const;

  const Edit edit_;
  int listener_ = -1;
  uint16_t port_ = 0;
  std::thread thread_;
};

}  // namespace geeps::system_test

#endif  // GEEPS_TESTS_SYSTEM_BETWEEN_H_
