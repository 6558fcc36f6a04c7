// SPDX-License-Identifier: Apache-2.0
#include "runtime/net/finder.h"

#include "absl/strings/str_cat.h"
#include "runtime/base/status.h"

namespace geeps::net {

Finder::Finder(const Rendezvous& rendezvous, const ResolveFn& resolve) : rendezvous_(rendezvous) {
  if (rendezvous.host_is_name) lookup_ = std::make_unique<HostLookup>(rendezvous.host, resolve);
}

absl::StatusOr<Place> Finder::Find(uint64_t now_ns) {
  if (rendezvous_.kind == Rendezvous::Kind::kFile) return FindInFile();
  Place place;
  place.name = rendezvous_.name;
  place.host = rendezvous_.host;
  place.port = rendezvous_.port;
  if (lookup_ != nullptr) {
    GEEPS_ASSIGN_OR_RETURN(const HostAddresses addresses, lookup_->Poll(now_ns));
    place.host = addresses[next_address_++ % addresses.size()];
  }
  return place;
}

absl::StatusOr<Place> Finder::FindInFile() {
  absl::StatusOr<RendezvousFile> file = ReadRendezvousFile(rendezvous_.path);
  // Whatever is wrong with it, rank 0 may still put another one there.
  if (!file.ok()) return NotFound(file.status().message());
  if (rejected_.has_value() && *rejected_ == *file) {
    return NotFound("at ", file->address, " port ", file->port, ", which the file names, a stranger answers (",
                    rejected_why_, "); rank 0 has not replaced the file yet");
  }
  file_ = *file;
  Place place;
  place.host = file_->address;
  place.port = file_->port;
  return place;
}

bool Finder::Moved() const {
  if (!file_.has_value()) return false;
  const absl::StatusOr<RendezvousFile> file = ReadRendezvousFile(rendezvous_.path);
  return file.ok() && !(*file == *file_);
}

}  // namespace geeps::net
