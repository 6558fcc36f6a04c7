// SPDX-License-Identifier: Apache-2.0
#include "runtime/net/transport.h"

#include <cstring>

#include "absl/strings/str_cat.h"
#include "runtime/base/status.h"

namespace geeps::net {

geeps_error EmptyError() {
  geeps_error error;
  std::memset(&error, 0, sizeof(error));
  error.struct_size = sizeof(error);
  error.rank = -1;
  return error;
}

absl::Status PluginStatus(geeps_status code, const geeps_error& error, absl::string_view phrase) {
  StatusDetail detail;
  // A code that the ABI does not know is the plugin's fault.
  detail.code = code >= static_cast<int32_t>(Code::kAborted) && code < 0 ? static_cast<Code>(code) : Code::kInternal;
  detail.native_code = error.native_code;
  detail.retryable = (error.flags & GEEPS_ERROR_RETRYABLE) != 0;
  const size_t length = strnlen(error.message, sizeof(error.message));
  const absl::string_view text = length == 0 ? absl::string_view(CodeName(code)) : absl::string_view(error.message, length);
  return MakeStatus(detail, absl::StrCat(phrase, ": ", text));
}

absl::StatusOr<Transport> OpenTransport(PluginRegistry* registry, absl::string_view name_or_path) {
  Transport transport;
  GEEPS_ASSIGN_OR_RETURN(transport.name, registry->Load(name_or_path));
  GEEPS_ASSIGN_OR_RETURN(const PluginRegistry::Interface base, registry->GetInterface(transport.name, GEEPS_TRANSPORT_ID));
  transport.table = static_cast<const geeps_transport*>(base.table);
  transport.host = base.host;
  if ((transport.table->caps & GEEPS_TP_CAP_MAP) != 0) {
    GEEPS_ASSIGN_OR_RETURN(const PluginRegistry::Interface map, registry->GetInterface(transport.name, GEEPS_TRANSPORT_MAP_ID));
    transport.map = static_cast<const geeps_transport_map*>(map.table);
  }
  return transport;
}

absl::StatusOr<Endpoint> Endpoint::Create(const Transport& transport, const Options& options) {
  std::vector<geeps_kv> kvs;
  for (const auto& [key, value] : options.transport_options) kvs.push_back({key.c_str(), value.c_str()});
  geeps_tp_config config;
  std::memset(&config, 0, sizeof(config));
  config.struct_size = sizeof(config);
  config.rank = options.rank;
  config.required_caps = options.required_caps;
  config.payload_max = options.payload_max;
  config.bind_address = options.bind_address.empty() ? nullptr : options.bind_address.c_str();
  config.job = options.job.c_str();
  config.options = kvs.data();
  config.num_options = kvs.size();
  config.silence_ns = options.silence_ns;
  geeps_error error = EmptyError();
  Endpoint endpoint;
  const geeps_status status = transport.table->create(transport.host, &config, &endpoint.tp_, &error);
  if (status != GEEPS_OK) {
    endpoint.tp_ = nullptr;
    return PluginStatus(status < 0 ? status : GEEPS_E_INTERNAL, error, absl::StrCat("transport ", transport.name));
  }
  endpoint.transport_ = transport;
  return endpoint;
}

Endpoint& Endpoint::operator=(Endpoint&& other) noexcept {
  if (this == &other) return *this;
  Reset();
  transport_ = std::move(other.transport_);
  tp_ = std::exchange(other.tp_, nullptr);
  return *this;
}

void Endpoint::Reset() {
  if (tp_ != nullptr) transport_.table->destroy(std::exchange(tp_, nullptr));
}

absl::StatusOr<std::string> Endpoint::Address() const {
  std::string address(512, '\0');
  uint64_t length = 0;
  geeps_error error = EmptyError();
  const geeps_status status = transport_.table->address(tp_, address.data(), address.size(), &length, &error);
  if (status < 0) return PluginStatus(status, error, absl::StrCat("transport ", transport_.name));
  if (length > address.size()) return Internal("transport ", transport_.name, ": address of ", length, " bytes, at most 512 are possible");
  address.resize(length);
  return address;
}

absl::StatusOr<int> Endpoint::EventFd() const {
  int32_t fd = -1;
  geeps_error error = EmptyError();
  const geeps_status status = transport_.table->event_fd(tp_, &fd, &error);
  if (status < 0) return PluginStatus(status, error, absl::StrCat("transport ", transport_.name));
  return fd;
}

absl::StatusOr<geeps_tp_conn*> Endpoint::Connect(absl::string_view address, absl::string_view private_data, uint64_t cookie) {
  geeps_tp_conn* conn = nullptr;
  geeps_error error = EmptyError();
  const geeps_status status = transport_.table->connect(tp_, address.data(), address.size(), private_data.data(),
                                                        private_data.size(), cookie, &conn, &error);
  if (status < 0) return PluginStatus(status, error, absl::StrCat("transport ", transport_.name));
  return conn;
}

absl::Status Endpoint::Accept(geeps_tp_conn* conn, uint64_t cookie) {
  geeps_error error = EmptyError();
  const geeps_status status = transport_.table->accept(conn, cookie, &error);
  if (status < 0) return PluginStatus(status, error, absl::StrCat("transport ", transport_.name));
  return absl::OkStatus();
}

absl::Status Endpoint::SetSlot(geeps_tp_conn* conn, uint32_t slot, void* memory, uint64_t bytes) {
  geeps_error error = EmptyError();
  const geeps_status status = transport_.table->slot_set(conn, slot, memory, bytes, &error);
  if (status < 0) return PluginStatus(status, error, absl::StrCat("transport ", transport_.name));
  return absl::OkStatus();
}

}  // namespace geeps::net
