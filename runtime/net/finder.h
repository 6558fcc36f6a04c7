// SPDX-License-Identifier: Apache-2.0
// Finder: where a worker other than rank 0 finds rank 0, as far as it is known now. With a host name the place comes
// from HostLookup; with a file from what rank 0 wrote there. A file may have been left by a dead job: its place is
// tried like any other, and once a stranger has answered there it is not tried again until the file says something
// else.
// Thread contract: the control thread.
#ifndef GEEPS_RUNTIME_NET_FINDER_H_
#define GEEPS_RUNTIME_NET_FINDER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "runtime/net/control_socket.h"
#include "runtime/net/host_lookup.h"
#include "runtime/net/rendezvous.h"
#include "runtime/net/rendezvous_file.h"

namespace geeps::net {

class Finder {
 public:
  Finder(const Rendezvous& rendezvous, const ResolveFn& resolve);

  // Where to try now; remembered as the last place. Errors: kDenied is final; after all others another call may
  // succeed.
  absl::StatusOr<Place> Find(uint64_t now_ns);
  // Of the job that the last place belongs to; 0: unknown, anybody who listens there is taken for rank 0.
  uint64_t nonce() const { return file_.has_value() ? file_->nonce : 0; }
  // A stranger answered at the last place, known as one by `why`.
  void Reject(absl::string_view why) {
    rejected_ = file_;
    rejected_why_ = std::string(why);
  }
  // The file says another place than the last one. Nothing when it is gone: rank 0 takes it away when all have come.
  bool Moved() const;

 private:
  absl::StatusOr<Place> FindInFile();

  const Rendezvous rendezvous_;
  std::unique_ptr<HostLookup> lookup_;  // with a host name
  size_t next_address_ = 0;             // of the addresses of the name: in turn
  std::optional<RendezvousFile> file_;  // of the last place
  std::optional<RendezvousFile> rejected_;
  std::string rejected_why_;
};

}  // namespace geeps::net

#endif  // GEEPS_RUNTIME_NET_FINDER_H_
