// SPDX-License-Identifier: Apache-2.0
// Channel: one control connection: a non-blocking socket, frames in, frames out.
// Thread contract: the control thread.
#ifndef GEEPS_RUNTIME_NET_CONTROL_CHANNEL_H_
#define GEEPS_RUNTIME_NET_CONTROL_CHANNEL_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "runtime/net/control_socket.h"
#include "runtime/net/control_wire.h"

namespace geeps::net {

class Channel {
 public:
  // What may wait to be written to one peer: some of the largest messages. More means that it does not read.
  static constexpr size_t kQueuedBytesMax = size_t{512} << 20;

  explicit Channel(Socket socket) : socket_(std::move(socket)) {}

  int fd() const { return socket_.fd(); }
  const Socket& socket() const { return socket_; }
  bool open() const { return socket_.fd() >= 0; }

  // Bodies longer than this are refused. Begins with wire::kGreetingMax.
  void set_body_max(uint32_t bytes) { body_max_ = bytes; }

  // Reads what is there, a bounded amount. True when bytes came.
  bool Read();
  // Takes the next whole frame out of what was read. False: none is complete. Errors: see failure().
  bool Next(wire::Type* type, std::string* body);
  // The peer closed, or the socket failed, and everything before has been taken by Next.
  bool ended() const { return ended_; }
  // What was wrong with the bytes; after that nothing more is taken in.
  const absl::Status& failure() const { return failure_; }

  // False when too much waits already.
  bool Send(wire::Type type, absl::string_view body);
  // Writes what the socket takes.
  void Flush();
  bool flushed() const { return out_.empty(); }
  // No more is sent; the peer sees the end after all that was.
  void Finish();
  void Close() { socket_.Close(); }

 private:
  Socket socket_;
  uint32_t body_max_ = wire::kGreetingMax;
  std::string in_;
  size_t in_begin_ = 0;
  uint32_t in_sequence_ = 0;  // of the next frame
  bool ended_ = false;
  bool write_broken_ = false;
  bool finish_ = false;
  absl::Status failure_;
  std::deque<std::string> out_;
  uint32_t out_sequence_ = 0;
  size_t out_offset_ = 0;  // bytes of out_.front() that are written
  size_t out_bytes_ = 0;
};

}  // namespace geeps::net

#endif  // GEEPS_RUNTIME_NET_CONTROL_CHANNEL_H_
