// SPDX-License-Identifier: Apache-2.0
#include "runtime/net/control_wire.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/status.h"
#include "transports/tcp/crc32c.h"

namespace geeps::net::wire {
namespace {

constexpr uint32_t kLinesMax = 1u << 20;   // declaration lines of one worker
constexpr uint32_t kMaximaMax = 1u << 20;  // values of one ENTER or GO

class Writer {
 public:
  template <typename T>
  Writer& Number(T value) {
    for (size_t i = 0; i < sizeof(T); ++i) out_.push_back(static_cast<char>(static_cast<uint64_t>(value) >> (8 * i)));
    return *this;
  }
  // Longer texts are cut: they are names and sentences.
  Writer& Text(absl::string_view text, uint32_t bytes_max) {
    text = text.substr(0, bytes_max);
    Number(static_cast<uint32_t>(text.size()));
    out_.append(text.data(), text.size());
    return *this;
  }
  Writer& Raw(absl::string_view bytes) {
    out_.append(bytes.data(), bytes.size());
    return *this;
  }
  std::string Take() { return std::move(out_); }

 private:
  std::string out_;
};

// Reads until the first thing that does not fit; then everything is zero or empty and Finish fails.
class Reader {
 public:
  explicit Reader(absl::string_view in) : in_(in) {}

  template <typename T>
  T Number() {
    if (!ok_ || in_.size() < sizeof(T)) {
      ok_ = false;
      return T{};
    }
    uint64_t value = 0;
    for (size_t i = 0; i < sizeof(T); ++i) value |= static_cast<uint64_t>(static_cast<uint8_t>(in_[i])) << (8 * i);
    in_.remove_prefix(sizeof(T));
    return static_cast<T>(value);
  }
  std::string Text(uint32_t bytes_max) {
    const uint32_t bytes = Number<uint32_t>();
    if (!ok_ || bytes > bytes_max || bytes > in_.size()) {
      ok_ = false;
      return "";
    }
    std::string text(in_.substr(0, bytes));
    in_.remove_prefix(bytes);
    return text;
  }
  // A count of elements that take at least element_bytes each: never more than the bytes left can hold.
  uint32_t Count(uint32_t max, size_t element_bytes) {
    const uint32_t count = Number<uint32_t>();
    if (ok_ && count <= max && count <= in_.size() / element_bytes) return count;
    ok_ = false;
    return 0;
  }
  std::string Rest() {
    std::string rest(in_);
    in_ = {};
    return rest;
  }
  void Require(bool condition) { ok_ = ok_ && condition; }
  absl::Status Finish(const char* what) const {
    if (ok_ && in_.empty()) return absl::OkStatus();
    return BadData("a control message ", what, " is malformed");
  }

 private:
  absl::string_view in_;
  bool ok_ = true;
};

void Put(Writer* writer, const protocol::Cause& cause) {
  writer->Number(cause.code).Number(cause.rank).Number(cause.clock).Text(cause.text, kTextMax);
}

protocol::Cause GetCause(Reader* reader) {
  protocol::Cause cause;
  cause.code = reader->Number<int32_t>();
  cause.rank = reader->Number<int32_t>();
  cause.clock = reader->Number<uint64_t>();
  cause.text = reader->Text(kTextMax);
  return cause;
}

protocol::FenceKind GetKind(Reader* reader) {
  const uint8_t kind = reader->Number<uint8_t>();
  reader->Require(kind >= 1 && kind <= static_cast<uint8_t>(protocol::FenceKind::kShutdown));
  return static_cast<protocol::FenceKind>(kind);
}

bool GetFlag(Reader* reader) {
  const uint8_t flag = reader->Number<uint8_t>();
  reader->Require(flag <= 1);
  return flag == 1;
}

void Put(Writer* writer, const std::vector<uint32_t>& values) {
  writer->Number(static_cast<uint32_t>(values.size()));
  for (const uint32_t value : values) writer->Number(value);
}

std::vector<uint32_t> GetValues(Reader* reader) {
  std::vector<uint32_t> values(reader->Count(kMaximaMax, sizeof(uint32_t)));
  for (uint32_t& value : values) value = reader->Number<uint32_t>();
  return values;
}

template <typename Value, typename T>
absl::Status Finish(const Reader& reader, const char* what, Value&& value, T* out) {
  GEEPS_RETURN_IF_ERROR(reader.Finish(what));
  *out = std::forward<Value>(value);
  return absl::OkStatus();
}

}  // namespace

std::string Frame(Type type, absl::string_view body, uint32_t sequence) {
  Writer writer;
  writer.Number(kMagic).Number(kVersion).Number(static_cast<uint16_t>(type)).Number(static_cast<uint32_t>(body.size()));
  writer.Number(sequence).Number(crc32c::Extend(0, body.data(), body.size()));
  std::string frame = writer.Take();
  frame.append(Writer().Number(crc32c::Extend(0, frame.data(), frame.size())).Take());
  frame.append(body.data(), body.size());
  return frame;
}

absl::Status CheckMagic(absl::string_view bytes) {
  const uint32_t magic = Reader(bytes).Number<uint32_t>();
  if (magic != kMagic) return BadData("no control frame: it begins with ", absl::Hex(magic));
  return absl::OkStatus();
}

absl::Status DecodeFrameHeader(absl::string_view bytes, uint32_t body_max, FrameHeader* out) {
  GEEPS_RETURN_IF_ERROR(CheckMagic(bytes));
  Reader reader(bytes.substr(kMagicBytes, kFrameHeaderBytes - kMagicBytes));
  const uint16_t version = reader.Number<uint16_t>();
  const uint16_t type = reader.Number<uint16_t>();
  FrameHeader header;
  header.type = static_cast<Type>(type);
  header.body_bytes = reader.Number<uint32_t>();
  header.sequence = reader.Number<uint32_t>();
  header.body_crc = reader.Number<uint32_t>();
  const uint32_t crc = reader.Number<uint32_t>();
  if (version != kVersion) {
    return MakeStatus(Code::kAbi, absl::StrCat("control protocol version ", version, ", here is version ", kVersion));
  }
  if (crc != crc32c::Extend(0, bytes.data(), kFrameHeaderBytes - sizeof(crc))) {
    return BadData("checksum of the header of a control message is wrong");
  }
  if (type < static_cast<uint16_t>(Type::kHello) || type > static_cast<uint16_t>(Type::kStranger)) {
    return BadData("unknown control message ", type);
  }
  if (header.body_bytes > body_max) return BadData("a control message of ", header.body_bytes, " bytes, at most ", body_max, " are possible");
  *out = header;
  return absl::OkStatus();
}

absl::Status CheckBody(const FrameHeader& header, absl::string_view body) {
  if (crc32c::Extend(0, body.data(), body.size()) == header.body_crc) return absl::OkStatus();
  return BadData("checksum of a control message of ", body.size(), " bytes is wrong");
}

std::string Encode(const Hello& message) {
  const protocol::Hello& worker = message.worker;
  return Writer()
      .Number(worker.protocol_version)
      .Number(worker.rank)
      .Number(worker.world)
      .Number(worker.pid)
      .Number(message.nonce)
      .Text(message.job, kNameMax)
      .Text(worker.host, kNameMax)
      .Text(worker.transport, kNameMax)
      .Text(worker.address, kAddressMax)
      .Take();
}

absl::Status Decode(absl::string_view body, Hello* out) {
  Reader reader(body);
  Hello message;
  message.worker.protocol_version = reader.Number<uint32_t>();
  message.worker.rank = reader.Number<uint32_t>();
  message.worker.world = reader.Number<uint32_t>();
  message.worker.pid = reader.Number<uint64_t>();
  message.nonce = reader.Number<uint64_t>();
  message.job = reader.Text(kNameMax);
  message.worker.host = reader.Text(kNameMax);
  message.worker.transport = reader.Text(kNameMax);
  message.worker.address = reader.Text(kAddressMax);
  return Finish(reader, "HELLO", std::move(message), out);
}

std::string Encode(const protocol::Welcome& message) {
  Writer writer;
  writer.Number(message.job).Number(static_cast<uint32_t>(message.hosts.size()));
  for (size_t rank = 0; rank < message.hosts.size(); ++rank) {
    writer.Text(message.hosts[rank], kNameMax).Text(message.addresses[rank], kAddressMax);
  }
  return writer.Take();
}

absl::Status Decode(absl::string_view body, protocol::Welcome* out) {
  Reader reader(body);
  protocol::Welcome message;
  message.job = reader.Number<uint64_t>();
  const uint32_t world = reader.Count(kWorldMax, 2 * sizeof(uint32_t));
  for (uint32_t rank = 0; rank < world; ++rank) {
    message.hosts.push_back(reader.Text(kNameMax));
    message.addresses.push_back(reader.Text(kAddressMax));
  }
  return Finish(reader, "WELCOME", std::move(message), out);
}

std::string Encode(const Beat& message) { return Writer().Number(message.clock).Take(); }

absl::Status Decode(absl::string_view body, Beat* out) {
  Reader reader(body);
  Beat message;
  message.clock = reader.Number<uint64_t>();
  return Finish(reader, "BEAT", message, out);
}

std::string Encode(const protocol::Enter& message) {
  Writer writer;
  writer.Number(static_cast<uint8_t>(message.kind)).Number(message.phase).Number(message.clock).Number(message.digest);
  writer.Number(static_cast<uint8_t>(message.sets)).Number(static_cast<uint8_t>(message.failed));
  Put(&writer, message.maxima);
  Put(&writer, message.cause);
  return writer.Take();
}

absl::Status Decode(absl::string_view body, protocol::Enter* out) {
  Reader reader(body);
  protocol::Enter message;
  message.kind = GetKind(&reader);
  message.phase = reader.Number<uint8_t>();
  message.clock = reader.Number<uint64_t>();
  message.digest = reader.Number<uint64_t>();
  message.sets = GetFlag(&reader);
  message.failed = GetFlag(&reader);
  message.maxima = GetValues(&reader);
  message.cause = GetCause(&reader);
  return Finish(reader, "ENTER", std::move(message), out);
}

std::string Encode(const protocol::Go& message) {
  Writer writer;
  writer.Number(static_cast<uint8_t>(message.kind)).Number(message.phase).Number(message.clock).Number(message.epoch);
  writer.Number(static_cast<uint8_t>(message.sets));
  Put(&writer, message.maxima);
  return writer.Take();
}

absl::Status Decode(absl::string_view body, protocol::Go* out) {
  Reader reader(body);
  protocol::Go message;
  message.kind = GetKind(&reader);
  message.phase = reader.Number<uint8_t>();
  message.clock = reader.Number<uint64_t>();
  message.epoch = reader.Number<uint64_t>();
  message.sets = GetFlag(&reader);
  message.maxima = GetValues(&reader);
  return Finish(reader, "GO", std::move(message), out);
}

std::string Encode(const std::vector<protocol::DeclarationLine>& lines) {
  Writer writer;
  writer.Number(static_cast<uint32_t>(lines.size()));
  for (const protocol::DeclarationLine& line : lines) writer.Text(line.subject, kTextMax).Text(line.text, kTextMax);
  return writer.Take();
}

absl::Status Decode(absl::string_view body, std::vector<protocol::DeclarationLine>* out) {
  Reader reader(body);
  std::vector<protocol::DeclarationLine> lines(reader.Count(kLinesMax, 2 * sizeof(uint32_t)));
  for (protocol::DeclarationLine& line : lines) {
    line.subject = reader.Text(kTextMax);
    line.text = reader.Text(kTextMax);
  }
  return Finish(reader, "LINES", std::move(lines), out);
}

std::string Encode(const Suspect& message) { return Writer().Number(message.rank).Text(message.text, kTextMax).Take(); }

absl::Status Decode(absl::string_view body, Suspect* out) {
  Reader reader(body);
  Suspect message;
  message.rank = reader.Number<uint32_t>();
  message.text = reader.Text(kTextMax);
  return Finish(reader, "SUSPECT", std::move(message), out);
}

std::string Encode(const Relay& message) {
  return Writer().Number(message.src).Number(message.dst).Number(message.kind).Raw(message.bytes).Take();
}

absl::Status Decode(absl::string_view body, Relay* out) {
  Reader reader(body);
  Relay message;
  message.src = reader.Number<uint32_t>();
  message.dst = reader.Number<uint32_t>();
  message.kind = reader.Number<uint32_t>();
  message.bytes = reader.Rest();
  return Finish(reader, "RELAY", std::move(message), out);
}

std::string Encode(const protocol::Cause& cause) {
  Writer writer;
  Put(&writer, cause);
  return writer.Take();
}

absl::Status Decode(absl::string_view body, protocol::Cause* out) {
  Reader reader(body);
  return Finish(reader, "with a cause", GetCause(&reader), out);
}

protocol::Cause CauseOf(const absl::Status& status) {
  const StatusDetail detail = DetailOf(status);
  protocol::Cause cause;
  cause.code = static_cast<int32_t>(detail.code);
  cause.rank = detail.rank;
  cause.clock = detail.clock;
  cause.text = std::string(status.message());
  return cause;
}

absl::Status StatusOf(const protocol::Cause& cause) {
  StatusDetail detail;
  const bool known = cause.code < 0 && cause.code >= static_cast<int32_t>(Code::kAborted);
  detail.code = known ? static_cast<Code>(cause.code) : Code::kInternal;
  detail.rank = cause.rank;
  detail.clock = cause.clock;
  // Who had no memory for a sentence sends none.
  return MakeStatus(detail, cause.text.empty() ? "the cause came without a sentence" : cause.text);
}

}  // namespace geeps::net::wire
