// SPDX-License-Identifier: Apache-2.0
// OpenTransport: a transport by the name an option gives it: "inproc", which is built in, a name or a path of a plugin.
// Endpoint: the owner of one geeps_tp, with statuses instead of error structs where a call fails with a sentence.
// Thread contract: OpenTransport any thread; an Endpoint's calls one thread at a time, Wake from any thread.
#ifndef GEEPS_RUNTIME_NET_TRANSPORT_H_
#define GEEPS_RUNTIME_NET_TRANSPORT_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "geeps_transport.h"
#include "runtime/net/plugin.h"

namespace geeps::net {

struct Transport {
  std::string name;
  const geeps_transport* table = nullptr;
  const geeps_transport_map* map = nullptr;  // nullptr: memory cannot be mapped
  const geeps_host* host = nullptr;
};

// Errors: those of PluginRegistry; NotFound when the plugin is no transport.
absl::StatusOr<Transport> OpenTransport(PluginRegistry* registry, absl::string_view name_or_path);

// The status that a plugin reported by `code` and `error`. REQUIRES: code is negative.
absl::Status PluginStatus(geeps_status code, const geeps_error& error, absl::string_view phrase);
// An error struct, ready to be passed to a plugin.
geeps_error EmptyError();

class Endpoint {
 public:
  struct Options {
    uint32_t rank = 0;
    uint64_t required_caps = 0;
    uint64_t payload_max = 1 << 20;
    std::string bind_address;  // empty: loopback
    std::string job;
    uint64_t silence_ns = 0;   // 0: no limit
    std::vector<std::pair<std::string, std::string>> transport_options;
  };

  static absl::StatusOr<Endpoint> Create(const Transport& transport, const Options& options);
  Endpoint() = default;
  Endpoint(Endpoint&& other) noexcept { *this = std::move(other); }
  Endpoint& operator=(Endpoint&& other) noexcept;
  ~Endpoint() { Reset(); }

  bool open() const { return tp_ != nullptr; }
  const Transport& transport() const { return transport_; }
  const geeps_transport& table() const { return *transport_.table; }
  geeps_tp* get() const { return tp_; }

  absl::StatusOr<std::string> Address() const;
  absl::StatusOr<int> EventFd() const;
  absl::StatusOr<geeps_tp_conn*> Connect(absl::string_view address, absl::string_view private_data, uint64_t cookie);
  absl::Status Accept(geeps_tp_conn* conn, uint64_t cookie);
  absl::Status SetSlot(geeps_tp_conn* conn, uint32_t slot, void* memory, uint64_t bytes);
  void Wake() const { transport_.table->wake(tp_); }
  // Closes all connections; no further events. Nothing when not open.
  void Reset();

 private:
  Transport transport_;
  geeps_tp* tp_ = nullptr;
};

}  // namespace geeps::net

#endif  // GEEPS_RUNTIME_NET_TRANSPORT_H_
