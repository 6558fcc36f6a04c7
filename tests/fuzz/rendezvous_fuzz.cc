// SPDX-License-Identifier: Apache-2.0
// Where workers meet: the rendezvous file as it lies on disk, and the options that name places and ports. A file is
// read to the same place again that was written; no address beyond loopback passes.
#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/match.h"
#include "runtime/base/status.h"
#include "runtime/net/rendezvous.h"
#include "runtime/net/rendezvous_file.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/temporary_folder.h"

namespace geeps::fuzz {
namespace {

const std::string& Path() {
  static const TemporaryFolder folder;
  static const std::string path = folder.File("rendezvous");
  return path;
}

// Bytes that another program has put there.
void TryFile(const std::string& bytes) {
  const std::string& path = Path();
  unlink(path.c_str());
  WriteFile(path, bytes);
  const auto decoded = net::DecodeRendezvousFile(bytes);
  const Meter meter;
  const auto read = net::ReadRendezvousFile(path);
  FUZZ_CHECK(meter.peak_bytes() <= 16 << 10);  // however long the file is
  // One that is longer than any such file is cut where it is read: it is none either way.
  FUZZ_CHECK(read.ok() == decoded.ok());
  if (!decoded.ok()) {
    FUZZ_CHECK(!decoded.status().message().empty());
    // It is replaced only if it is a file of this kind, or empty.
    net::RendezvousFile own;
    own.address = "127.0.0.1";
    own.port = 1;
    own.nonce = 1;
    const bool replaced = net::WriteRendezvousFile(path, own).ok();
    FUZZ_CHECK(replaced == (bytes.empty() || absl::StartsWith(bytes, "geeps rendezvous 1")));
    FUZZ_CHECK(replaced || ReadFile(path) == bytes);
    if (replaced) net::RemoveRendezvousFile(path, own);
    FUZZ_CHECK((access(path.c_str(), F_OK) != 0) == replaced);
    return;
  }
  FUZZ_CHECK(*read == *decoded && net::IsLoopback(decoded->address) && decoded->port != 0 && decoded->nonce != 0);
  const auto again = net::DecodeRendezvousFile(net::EncodeRendezvousFile(*decoded));
  FUZZ_CHECK(again.ok() && *again == *decoded);
  FUZZ_CHECK(net::WriteRendezvousFile(path, *decoded).ok());
  net::RendezvousFile another = *decoded;
  ++another.port;
  net::RemoveRendezvousFile(path, another);
  FUZZ_CHECK(net::ReadRendezvousFile(path).ok());
  net::RemoveRendezvousFile(path, *decoded);
  FUZZ_CHECK(DetailOf(net::ReadRendezvousFile(path).status()).code == Code::kNotFound);
}

// What is there is no file, or nothing can be there.
void TryPlace(Input* input) {
  net::RendezvousFile file;
  file.address = "::1";
  file.port = 7;
  file.nonce = input->Number<uint64_t>() | 1;
  const std::string& path = Path();
  unlink(path.c_str());
  switch (input->Below(3)) {
    case 0:
      FUZZ_CHECK(mkfifo(path.c_str(), 0600) == 0);
      break;
    case 1:
      FUZZ_CHECK(!net::WriteRendezvousFile(path + "/below", file).ok());
      FUZZ_CHECK(!net::WriteRendezvousFile(path + "-folder/below", file).ok());
      return;
    default:
      FUZZ_CHECK(net::WriteRendezvousFile(path, file).ok() && *net::ReadRendezvousFile(path) == file);
      return;
  }
  FUZZ_CHECK(DetailOf(net::ReadRendezvousFile(path).status()).code == Code::kState);
  FUZZ_CHECK(!net::WriteRendezvousFile(path, file).ok());
  net::RemoveRendezvousFile(path, file);
  unlink(path.c_str());
}

void TryRendezvous(const std::string& text) {
  using Kind = net::Rendezvous::Kind;
  const auto parsed = net::ParseRendezvous(text);
  if (!parsed.ok()) {
    const Code code = DetailOf(parsed.status()).code;
    FUZZ_CHECK((code == Code::kInvalid || code == Code::kDenied) && !parsed.status().message().empty());
    return;
  }
  FUZZ_CHECK((parsed->kind == Kind::kNone) == text.empty());
  if (parsed->kind == Kind::kTcp) {
    FUZZ_CHECK(parsed->port != 0 && !parsed->host.empty());
    FUZZ_CHECK(parsed->host_is_name || net::IsLoopback(parsed->host));
  }
  if (parsed->kind == Kind::kFile) FUZZ_CHECK(parsed->path[0] == '/' && text == "file://" + parsed->path);
  if (parsed->kind == Kind::kInproc) FUZZ_CHECK(text == "inproc://" + parsed->name);
}

void TryPorts(const std::string& text) {
  const auto range = net::ParsePortRange(text);
  if (!range.ok()) return;
  FUZZ_CHECK(range->low >= 1 && range->low <= range->high);
  const auto again = net::ParsePortRange(std::to_string(range->low) + "-" + std::to_string(range->high));
  FUZZ_CHECK(again.ok() && again->low == range->low && again->high == range->high);
}

void TryAddress(const std::string& text) {
  const auto literal = net::ParseLoopback(text);
  FUZZ_CHECK(net::IsLoopback(text) == (literal.ok() && text != "localhost"));
  if (literal.ok()) FUZZ_CHECK(net::IsLoopback(*literal));
}

std::string Replaced(std::string text, const std::string& what, const std::string& by) {
  const size_t at = text.find(what);
  FUZZ_CHECK(at != std::string::npos);
  return text.replace(at, what.size(), by);
}

}  // namespace

std::vector<std::string> FuzzSeeds() {
  net::RendezvousFile file;
  file.address = "127.0.0.1";
  file.port = 4711;
  file.nonce = 0x123456789abcdef0;
  const std::string text = net::EncodeRendezvousFile(file);
  std::vector<std::string> seeds = {Seed().Byte(0).Raw(text), Seed().Byte(0)};
  const std::pair<const char*, const char*> faults[] = {
      {"geeps", "gipps"},    {"127.0.0.1", "10.0.0.1"}, {"127.0.0.1", "host"}, {"4711", "0"},
      {"4711", "4711-4712"}, {"1234567", "0x"},         {"nonce ", "once "},   {"\n", ""},
      {"port", "\nport"}};
  for (const auto& [what, by] : faults) seeds.push_back(Seed().Byte(0).Raw(Replaced(text, what, by)));
  seeds.push_back(Seed().Byte(0).Raw(Replaced(text, "123456789abcdef0", "0000000000000000")));
  seeds.push_back(Seed().Byte(0).Raw(Replaced(text, "4711", std::string(600, '1'))));
  seeds.push_back(Seed().Byte(0).Raw(Replaced(text, "127.0.0.1", "127.0.0.1" + std::string(7, '\0'))));
  for (const char* place : {"", "inproc://", "inproc://job", "tcp://localhost:4711", "tcp://[::1]:4711",
                            "tcp://127.0.0.9:1", "tcp://10.0.0.1:1", "tcp://host-1.example:65535", "tcp://host:0",
                            "tcp://host", "tcp://10.1:4", "tcp://-x:4", "file:///tmp/job", "file://job", "udp://x:1"}) {
    seeds.push_back(Seed().Byte(1).Raw(place));
  }
  seeds.push_back(Seed().Byte(1).Raw("tcp://" + std::string(300, 'h') + ":1"));
  for (const char* ports : {"1", "65535", "0", "65536", "4000-4001", "5-4", "-", "x"}) {
    seeds.push_back(Seed().Byte(2).Raw(ports));
  }
  for (const char* address : {"localhost", "127.1.2.3", "::1", "::2", "10.0.0.1", "here"}) {
    seeds.push_back(Seed().Byte(3).Raw(address));
  }
  for (uint32_t place = 0; place < 3; ++place) seeds.push_back(Seed().Byte(4).Number(uint64_t{6}).Byte(place));
  return seeds;
}

}  // namespace geeps::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace geeps::fuzz;  // NOLINT
  Input input(data, size);
  switch (input.Below(5)) {
    case 0:
      TryFile(input.Rest());
      break;
    case 1:
      TryRendezvous(input.Rest());
      break;
    case 2:
      TryPorts(input.Rest());
      break;
    case 3:
      TryAddress(input.Rest());
      break;
    default:
      TryPlace(&input);
      break;
  }
  return 0;
}
