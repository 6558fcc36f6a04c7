// SPDX-License-Identifier: Apache-2.0
// RendezvousFile: how rank 0 tells the others, through a file system that all share, where it listens. The file is
// always whole: it is written under another name and renamed. It carries the nonce of its job, which a worker says in
// its HELLO: whoever else has got the port of a dead job since then refuses it. Thread contract: any thread. The calls
// take as long as the file system does.
#ifndef GEEPS_RUNTIME_NET_RENDEZVOUS_FILE_H_
#define GEEPS_RUNTIME_NET_RENDEZVOUS_FILE_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace geeps::net {

struct RendezvousFile {
  std::string address;  // a literal loopback address
  uint16_t port = 0;
  uint64_t nonce = 0;  // never 0
};

inline bool operator==(const RendezvousFile& a, const RendezvousFile& b) {
  return a.address == b.address && a.port == b.port && a.nonce == b.nonce;
}

std::string EncodeRendezvousFile(const RendezvousFile& file);
// Errors: BadData, with what is wrong; kDenied: the address is not loopback.
absl::StatusOr<RendezvousFile> DecodeRendezvousFile(absl::string_view text);

// Errors: NotFound: not there, or empty; IoError; those of DecodeRendezvousFile.
absl::StatusOr<RendezvousFile> ReadRendezvousFile(const std::string& path);
// Puts the file in place, over one of another job. Errors: IoError; WrongState: something else is there, which must not
// be lost.
absl::Status WriteRendezvousFile(const std::string& path, const RendezvousFile& file);
// Removes the file if it is still this one. Best effort; needs no memory.
void RemoveRendezvousFile(const std::string& path, const RendezvousFile& file) noexcept;

}  // namespace geeps::net

#endif  // GEEPS_RUNTIME_NET_RENDEZVOUS_FILE_H_
