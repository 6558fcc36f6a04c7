// SPDX-License-Identifier: Apache-2.0
// A session of the tcp transport: one endpoint on loopback, a host that calls as the input says, peers that speak raw
// bytes to it, and connections of the endpoint to itself and to a peer that answers. Every accepted send completes
// once, DOWN is the last event of a connection, and what one end sent the other end gets. Loopback delivers before a
// call returns, so nothing waits. The first byte says whether peers read, whether the endpoint is destroyed before its
// connections are closed, or that the rest is a configuration.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "geeps_transport.h"
#include "tests/fuzz/fuzz.h"
#include "transports/tcp/connection.h"
#include "transports/tcp/crc32c.h"
#include "transports/tcp/wire.h"

namespace geeps::fuzz {
namespace {

constexpr char kJob[] = "job";
constexpr uint64_t kPayloadMax = 1 << 20;
constexpr size_t kRawMax = 6;
constexpr size_t kConnectionsMax = 12;
constexpr size_t kCrowdNum = 70;
constexpr int kStepsMax = 96;

enum Op : uint8_t {
  kDial,     // a raw peer connects
  kGreet,    // and greets
  kMessage,  // and sends a frame
  kRaw,      // or anything
  kHangUp,   // and goes
  kAccept,   // the host answers a request
  kRefuse,   // the host closes a connection
  kSlot,     // the host names memory and opens it
  kSend,     // the host sends
  kConnect,  // the host connects to its own endpoint, or to a raw listener
  kAnswer,   // the raw listener answers
  kLimit,    // the time limit of a connection's state passes
  kCrowd,    // more strangers than an endpoint looks at, once
  kNumOps
};

const geeps_transport* Table() {
  return static_cast<const geeps_transport*>(geeps_plugin_query(GEEPS_PLUGIN_ABI)->get_interface(GEEPS_TRANSPORT_ID));
}

void IgnoreLog(void*, int32_t, const char*, const char* text, uint64_t len) { FUZZ_CHECK(std::strlen(text) == len); }

geeps_error MakeError() {
  geeps_error err = {};
  err.struct_size = sizeof err;
  return err;
}

// A socket that ends with a reset, so that no port stays taken after it.
class RawSocket {
 public:
  explicit RawSocket(int fd) : fd_(fd) {
    const linger at_once = {1, 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    const int small = 4096;  // what is not read soon holds the endpoint up
    setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  }
  ~RawSocket() { close(fd_); }
  RawSocket(const RawSocket&) = delete;
  RawSocket& operator=(const RawSocket&) = delete;

  void Say(const std::string& bytes) {
    for (size_t at = 0; at < bytes.size();) {
      const ssize_t sent = send(fd_, bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent < 0 && errno == EINTR) continue;
      if (sent <= 0) return;  // full, or closed
      at += static_cast<size_t>(sent);
    }
  }
  void Finish() { shutdown(fd_, SHUT_WR); }
  // What the endpoint sends is read, or it would stand still.
  void Drain() {
    char buffer[8192];
    while (recv(fd_, buffer, sizeof buffer, MSG_DONTWAIT) > 0) {
    }
  }
  uint32_t next_sequence = 0;

 private:
  const int fd_;
};

// Where the endpoint connects to when it is to meet a raw peer; one for the process.
int RawListener(tcp::Address* address) {
  static const int fd = [] {
    const int made = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    FUZZ_CHECK(bind(made, reinterpret_cast<sockaddr*>(&in), sizeof in) == 0 && listen(made, 64) == 0);
    return made;
  }();
  sockaddr_storage name;
  socklen_t length = sizeof name;
  FUZZ_CHECK(getsockname(fd, reinterpret_cast<sockaddr*>(&name), &length) == 0);
  tcp::FromSocketAddress(name, address);
  return fd;
}

class Session {
 public:
  Session(Input* input, uint8_t mode) : input_(*input), deaf_((mode & 1) != 0), abrupt_((mode & 2) != 0) {
    geeps_tp_config config = {};
    config.struct_size = sizeof config;
    config.rank = 1;
    config.payload_max = kPayloadMax;
    config.job = kJob;
    geeps_error err = MakeError();
    FUZZ_CHECK(table_.create(&host_, &config, &tp_, &err) == GEEPS_OK);
    uint64_t len = 0;
    FUZZ_CHECK(table_.address(tp_, &address_, sizeof address_, &len, &err) == GEEPS_OK && len == sizeof address_);
  }
  ~Session() {
    if (tp_ != nullptr) table_.destroy(tp_);
    for (tcp::Address unused; const int fd : Backlog(&unused)) close(fd);
  }

  void Run() {
    for (int i = 0; i < kStepsMax && !input_.done(); ++i) {
      Act();
      Poll();
    }
    if (abrupt_) return;
    // All sends complete when their connections end.
    for (int round = 0; round < 3; ++round) {
      for (const auto& [conn, known] : connections_) {
        if (!known.down) table_.close(conn, 0);
      }
      Poll();
      for (const auto& [conn, known] : connections_) PassLimit(conn, known);
      Poll();
    }
    for (const auto& [conn, known] : connections_) FUZZ_CHECK(known.down && known.sends.empty());
    geeps_tp_stats stats = {};
    stats.struct_size = sizeof stats;
    FUZZ_CHECK(table_.stats(tp_, &stats, nullptr) == GEEPS_OK && stats.num_conns == 0);
    FUZZ_CHECK(stats.sent_messages == num_sent_ && stats.received_messages == num_received_);
  }

 private:
  struct Known {
    uint64_t cookie = 0;
    bool request = false;
    bool up = false;
    bool down = false;
    std::set<uint64_t> sends;  // accepted, not completed
    std::map<uint32_t, std::unique_ptr<uint8_t[]>> slots;
  };

  static std::vector<int> Backlog(tcp::Address* address) {
    const int listener = RawListener(address);
    std::vector<int> fds;
    for (int fd; (fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC)) >= 0;) fds.push_back(fd);
    return fds;
  }

  RawSocket* AnyRaw() { return raw_.empty() ? nullptr : raw_[input_.Byte() % raw_.size()].get(); }
  // Any that is not down, of those in their order of coming.
  geeps_tp_conn* AnyConnection() {
    const uint8_t index = input_.Byte();
    std::vector<geeps_tp_conn*> alive;
    for (geeps_tp_conn* conn : order_) {
      if (!connections_[conn].down) alive.push_back(conn);
    }
    return alive.empty() ? nullptr : alive[index % alive.size()];
  }

  void Act() {
    switch (input_.Below(kNumOps)) {
      case kDial:
        Dial();
        break;
      case kGreet:
        Greet();
        break;
      case kMessage:
        SendFrame();
        break;
      case kRaw:
        if (RawSocket* const raw = AnyRaw()) raw->Say(input_.Text());
        break;
      case kHangUp:
        HangUp();
        break;
      case kAccept:
        Accept();
        break;
      case kRefuse:
        if (geeps_tp_conn* const conn = AnyConnection()) table_.close(conn, input_.Below(2));
        break;
      case kSlot:
        OpenSlot();
        break;
      case kSend:
        Send();
        break;
      case kConnect:
        Connect();
        break;
      case kAnswer:
        Answer();
        break;
      case kLimit:
        if (geeps_tp_conn* const conn = AnyConnection()) PassLimit(conn, connections_[conn]);
        break;
      default:
        Crowd();
        break;
    }
  }

  void Crowd() {
    if (std::exchange(crowded_, true)) return;
    std::vector<std::unique_ptr<RawSocket>> crowd;
    raw_.swap(crowd);
    for (size_t i = 0; i < kCrowdNum; ++i) Dial();
    Poll();
    raw_.swap(crowd);
  }

  void Dial() {
    if (raw_.size() >= (crowded_ ? kCrowdNum : kRawMax)) return;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    FUZZ_CHECK(fd >= 0);
    sockaddr_storage name;
    const socklen_t length = tcp::ToSocketAddress(address_, &name);
    auto raw = std::make_unique<RawSocket>(fd);
    // libFuzzer's timer may interrupt it: then the connection is on its way.
    FUZZ_CHECK(connect(fd, reinterpret_cast<sockaddr*>(&name), length) == 0 || errno == EINTR);
    raw_.push_back(std::move(raw));
  }

  void Greet() {
    RawSocket* const raw = AnyRaw();
    const uint32_t fault = input_.Below(8);
    const size_t first = input_.Number<uint16_t>();
    if (raw == nullptr) return;
    tcp::Greeting greeting;
    greeting.endpoint = address_.endpoint + (fault == 1 ? 1 : 0);
    greeting.job_bytes = fault == 2 ? 2 : sizeof kJob - 1;
    std::memcpy(greeting.job, kJob, sizeof kJob - 1);
    greeting.private_bytes = fault == 3 ? 999 : 3;
    if (fault == 4) greeting.version = 7;
    if (fault == 5) greeting.magic = 7;
    greeting.crc = tcp::ChecksumOf(greeting) + (fault == 6 ? 1 : 0);
    const std::string bytes = BytesOf(greeting);
    // In two parts, with a look in between.
    raw->Say(bytes.substr(0, std::min(first, bytes.size())));
    Poll();
    if (first < bytes.size()) raw->Say(bytes.substr(first));
  }

  void SendFrame() {
    RawSocket* const raw = AnyRaw();
    tcp::FrameHeader frame;
    frame.slot = input_.Below(4);
    const uint32_t fault = input_.Below(8);
    const std::string header = input_.Bytes(input_.Byte() % 200);
    const std::string payload(input_.Number<uint16_t>(), 'r');
    if (raw == nullptr) return;
    if (fault == 1) frame.type = tcp::kFrameClose;
    frame.header_bytes = static_cast<uint16_t>(header.size());
    frame.payload_bytes = frame.slot == 0 ? 0 : payload.size();
    frame.sequence = raw->next_sequence++;
    frame.head_crc = tcp::HeadChecksumOf(frame);
    frame.crc = tcp::ChecksumOf(frame, header.data()) + (fault == 2 ? 1 : 0);
    std::string bytes = BytesOf(frame) + header;
    if (frame.payload_bytes != 0) {
      bytes += payload;
      bytes += BytesOf(crc32c::Extend(frame.crc, payload.data(), payload.size()) + (fault == 3 ? 1 : 0));
    }
    raw->Say(bytes.substr(0, fault == 4 ? bytes.size() / 2 : bytes.size()));
  }

  void HangUp() {
    if (raw_.empty()) return;
    const size_t index = input_.Byte() % raw_.size();
    if (input_.Flag()) {
      raw_[index]->Finish();
    } else {
      raw_.erase(raw_.begin() + static_cast<ptrdiff_t>(index));
    }
  }

  void Accept() {
    geeps_tp_conn* const conn = AnyConnection();
    if (conn == nullptr) return;
    Known& known = connections_[conn];
    geeps_error err = MakeError();
    const uint64_t cookie = input_.Byte();
    const geeps_status status = table_.accept(conn, cookie, &err);
    FUZZ_CHECK(status == GEEPS_OK || (status == GEEPS_E_STATE && err.message[0] != 0));
    if (status != GEEPS_OK) return;
    FUZZ_CHECK(std::exchange(known.request, false));
    known.cookie = cookie;
  }

  void OpenSlot() {
    geeps_tp_conn* const conn = AnyConnection();
    const uint32_t slot = input_.Below(4);
    const uint64_t bytes = input_.Number<uint16_t>();
    if (conn == nullptr) return;
    std::unique_ptr<uint8_t[]> memory(bytes == 0 ? nullptr : new uint8_t[bytes]);
    if (table_.slot_set(conn, slot, memory.get(), bytes, nullptr) == GEEPS_OK) {
      FUZZ_CHECK(slot != 0);
      connections_[conn].slots[slot] = std::move(memory);
    }
    const geeps_status status = table_.slot_arm(conn, slot);
    FUZZ_CHECK(status == GEEPS_OK || status == GEEPS_E_INVALID || status == GEEPS_E_STATE);
  }

  void Send() {
    geeps_tp_conn* const conn = AnyConnection();
    const uint32_t slot = input_.Below(4);
    const std::string header = input_.Bytes(input_.Byte());
    geeps_tp_piece pieces[GEEPS_TP_PIECES_MAX + 1];
    const uint32_t num_pieces = input_.Below(GEEPS_TP_PIECES_MAX + 2);
    for (uint32_t i = 0; i < num_pieces; ++i) pieces[i] = {values_.data(), input_.Number<uint16_t>() % 9000u};
    if (conn == nullptr) return;
    const uint64_t cookie = ++last_send_;
    const geeps_status status = table_.send(conn, slot, header.data(), header.size(), pieces, num_pieces, cookie);
    FUZZ_CHECK(status == GEEPS_OK || status == GEEPS_AGAIN || status == GEEPS_E_INVALID || status == GEEPS_E_STATE);
    if (status == GEEPS_OK) connections_[conn].sends.insert(cookie);
    if (status == GEEPS_AGAIN) FUZZ_CHECK(!connections_[conn].sends.empty());
  }

  void Connect() {
    if (order_.size() >= kConnectionsMax) return;
    tcp::Address address = address_;
    const uint32_t where = input_.Below(6);
    if (where == 1) RawListener(&address);
    if (where == 2) address.endpoint ^= 1;
    if (where == 3) address.ip[0] = 10;
    if (where == 4) address.magic = 1;
    if (where == 5) address.port = 1;  // nobody listens there
    const std::string data = input_.Bytes(input_.Byte());
    const uint64_t cookie = ++last_connect_ + 1000;
    geeps_tp_conn* conn = nullptr;
    geeps_error err = MakeError();
    const geeps_status status =
        table_.connect(tp_, &address, sizeof address, data.data(), data.size(), cookie, &conn, &err);
    FUZZ_CHECK((status == GEEPS_OK) == (conn != nullptr) && (status == GEEPS_OK) == (err.message[0] == 0));
    FUZZ_CHECK(status == GEEPS_OK ? where != 3 && where != 4 : where >= 3);
    if (conn != nullptr) Add(conn).cookie = cookie;
  }

  // The memory of one that is gone may serve a new one.
  Known& Add(geeps_tp_conn* conn) {
    FUZZ_CHECK(connections_.count(conn) == 0 || connections_[conn].down);
    order_.erase(std::remove(order_.begin(), order_.end(), conn), order_.end());
    order_.push_back(conn);
    return connections_[conn] = Known();
  }

  // The listener takes what has come, and says an answer.
  void Answer() {
    const uint32_t fault = input_.Below(6);
    tcp::Answer answer;
    answer.status = fault == 1 ? GEEPS_E_DENIED : fault == 2 ? 7 : GEEPS_OK;
    if (fault == 3) answer.version = 9;
    if (fault == 4) answer.magic = 9;
    answer.crc = tcp::ChecksumOf(answer) + (fault == 5 ? 1 : 0);
    tcp::Address unused;
    for (const int fd : Backlog(&unused)) {
      auto raw = std::make_unique<RawSocket>(fd);
      raw->Say(BytesOf(answer));
      if (raw_.size() < kRawMax) raw_.push_back(std::move(raw));
    }
  }

  // The handle is the plugin's object.
  void PassLimit(geeps_tp_conn* conn, const Known& known) {
    if (known.down) return;
    tcp::Connection* const connection = reinterpret_cast<tcp::Connection*>(conn);
    if (connection->has_deadline()) connection->OnDeadline();
  }

  void Poll() {
    if (!deaf_) {
      for (const auto& raw : raw_) raw->Drain();
    }
    for (int round = 0; round < 64; ++round) {
      geeps_tp_event events[7] = {};
      uint64_t num = 0;
      FUZZ_CHECK(table_.poll(tp_, events, sizeof events[0], 7, &num) == GEEPS_OK && num <= 7);
      for (uint64_t i = 0; i < num; ++i) Take(events[i]);
      if (num == 0 && table_.arm(tp_) == GEEPS_OK) {
        int32_t fd = -1;
        FUZZ_CHECK(table_.event_fd(tp_, &fd, nullptr) == GEEPS_OK);
        pollfd entry = {fd, POLLIN, 0};
        if (poll(&entry, 1, 0) <= 0) return;
      }
    }
  }

  void Take(const geeps_tp_event& event) {
    if (event.type == GEEPS_TP_CONN_REQUEST) {
      FUZZ_CHECK(event.cookie == 0 && event.bytes <= GEEPS_TP_PRIVATE_MAX && event.data != nullptr);
      Add(event.conn).request = true;
      return;
    }
    FUZZ_CHECK(connections_.count(event.conn) == 1);
    Known& known = connections_[event.conn];
    FUZZ_CHECK(!known.down);
    switch (event.type) {
      case GEEPS_TP_UP:
        FUZZ_CHECK(!known.request && !std::exchange(known.up, true) && event.cookie == known.cookie);
        break;
      case GEEPS_TP_DOWN:
        FUZZ_CHECK(event.cookie == known.cookie && event.status <= GEEPS_OK && known.sends.empty());
        known.down = true;
        break;
      case GEEPS_TP_SENT:
        FUZZ_CHECK(known.sends.erase(event.cookie) == 1 && event.status <= GEEPS_OK);
        num_sent_ += event.status == GEEPS_OK ? 1 : 0;
        break;
      case GEEPS_TP_RECEIVED:
        FUZZ_CHECK(known.up && event.bytes >= 1 && event.bytes <= GEEPS_TP_HEADER_MAX);
        FUZZ_CHECK((event.slot == 0) == (event.payload_bytes == 0));
        if (event.slot != 0) LookAt(known.slots[event.slot].get(), event.payload_bytes);
        ++num_received_;
        break;
      default:
        FUZZ_CHECK(false);
    }
  }

  // Only two letters are ever sent.
  static void LookAt(const uint8_t* memory, uint64_t bytes) {
    for (uint64_t i = 0; i < bytes; ++i) FUZZ_CHECK(memory[i] == 'r' || memory[i] == 'h');
  }

  Input& input_;
  const bool deaf_;
  const bool abrupt_;
  bool crowded_ = false;
  const geeps_transport& table_ = *Table();
  geeps_host host_ = {sizeof(geeps_host), GEEPS_PLUGIN_ABI, nullptr, nullptr, IgnoreLog, nullptr, nullptr, nullptr};
  geeps_tp* tp_ = nullptr;
  tcp::Address address_;
  const std::string values_ = std::string(9000, 'h');
  std::vector<std::unique_ptr<RawSocket>> raw_;
  std::map<geeps_tp_conn*, Known> connections_;
  std::vector<geeps_tp_conn*> order_;
  uint64_t last_send_ = 0;
  uint64_t last_connect_ = 0;
  uint64_t num_sent_ = 0;
  uint64_t num_received_ = 0;
};

// The configuration of an endpoint: refused with a sentence, or it listens.
void TryConfig(Input* input) {
  tcp::Address taken;
  RawListener(&taken);
  const std::string port = std::to_string(taken.port);
  const std::string ports = port + "-" + port;
  const geeps_kv options[] = {{"port", "0"},           {"port", "5-4"},   {"port", port.c_str()},
                              {"port", ports.c_str()}, {"port", nullptr}, {"speed", "1"}};
  const uint32_t option = input->Below(7);
  const uint32_t fault = input->Below(8);
  const bool no_options = input->Flag();
  const std::string job = input->CText();
  const std::string address = input->CText();
  geeps_tp_config config = {};
  config.struct_size = fault == 1 ? 8 : sizeof config;
  config.required_caps = fault == 2 ? GEEPS_TP_CAP_MAP : 0;
  config.payload_max = fault == 3 ? 0 : kPayloadMax;
  config.job = fault == 4 ? nullptr : job.c_str();
  config.bind_address = address.empty() ? nullptr : address.c_str();
  config.num_options = option < 6 ? 1 : 0;
  config.options = no_options ? nullptr : options + option;
  geeps_tp* tp = nullptr;
  geeps_error err = MakeError();
  const geeps_status status = Table()->create(nullptr, &config, &tp, &err);
  FUZZ_CHECK((status == GEEPS_OK) == (tp != nullptr) && (status == GEEPS_OK) == (err.message[0] == 0));
  if (fault >= 1 && fault <= 4) FUZZ_CHECK(status < 0);
  if (option == 1 || option == 4 || option == 5) FUZZ_CHECK(status < 0);
  if (status != GEEPS_OK) return;
  tcp::Address own;
  uint64_t len = 0;
  FUZZ_CHECK(Table()->address(tp, &own, sizeof own, &len, nullptr) == GEEPS_OK && tcp::IsLoopback(own));
  Table()->destroy(tp);
}

// --- seeds ---

// A raw peer whose request was accepted: raw socket 0, connection 0; slot 1 is open.
Seed Met() {
  return Seed()
      .Byte(kDial)
      .Byte(kGreet)
      .Byte(0)
      .Byte(0)
      .Number(uint16_t{100})
      .Byte(kAccept)
      .Byte(0)
      .Byte(5)
      .Byte(kSlot)
      .Byte(0)
      .Byte(1)
      .Number(uint16_t{1000});
}

Seed& Say(Seed* seed, uint32_t slot, uint32_t fault, const std::string& header, uint16_t payload_bytes) {
  return seed->Byte(kMessage)
      .Byte(0)
      .Byte(slot)
      .Byte(fault)
      .Byte(static_cast<uint32_t>(header.size()))
      .Raw(header)
      .Number(payload_bytes);
}

Seed& HostSends(Seed* seed, uint32_t conn, uint32_t slot, uint16_t piece_bytes) {
  seed->Byte(kSend).Byte(conn).Byte(slot).Byte(2).Raw("hh");
  if (slot == 0) return seed->Byte(0);
  seed->Byte(8).Number(uint16_t{0});
  for (int i = 1; i < 8; ++i) seed->Number(piece_bytes);
  return *seed;
}

// The endpoint connects to itself: connection 0 asks, 1 is asked.
Seed Alone() { return Seed().Byte(kConnect).Byte(0).Byte(2).Raw("me").Byte(kAccept).Byte(1).Byte(9); }

void AddConfigSeeds(std::vector<std::string>* seeds) {
  for (uint32_t fault = 0; fault < 5; ++fault) {
    seeds->push_back(Seed().Byte(7).Byte(6).Byte(fault).Byte(0).Text("job").Text("127.0.0.2"));
  }
  for (uint32_t option = 0; option < 6; ++option) {
    seeds->push_back(Seed().Byte(7).Byte(option).Byte(0).Byte(0).Text("job").Text(""));
  }
  for (const char* address : {"::1", "10.0.0.1", "here"}) {
    seeds->push_back(Seed().Byte(7).Byte(6).Byte(0).Byte(0).Text("job").Text(address));
  }
  seeds->push_back(Seed().Byte(7).Byte(0).Byte(0).Byte(1).Text("job").Text(""));
  seeds->push_back(Seed().Byte(7).Byte(6).Byte(0).Byte(0).Text(std::string(300, 'j')).Text(""));
}

}  // namespace

std::vector<std::string> FuzzSeeds() {
  std::vector<std::string> seeds;
  for (uint32_t fault = 0; fault < 7; ++fault) {
    seeds.push_back(Seed().Byte(kDial).Byte(kGreet).Byte(0).Byte(fault).Number(uint16_t{5}));
  }
  seeds.push_back(Seed().Byte(kDial).Byte(kRaw).Byte(0).Text("GET / HTTP/1.1\r\n\r\n"));
  seeds.push_back(Seed().Byte(kDial).Byte(kHangUp).Byte(0).Byte(0));
  seeds.push_back(Seed().Byte(kDial).Byte(kGreet).Byte(0).Byte(0).Number(uint16_t{999}).Byte(kRefuse).Byte(0).Byte(0));
  for (uint32_t fault = 0; fault < 5; ++fault) {
    Seed talk = Met();
    Say(&talk, 0, 0, "mail", 0);
    Say(&talk, 1, fault, fault == 1 ? "" : "h", fault == 1 ? 0 : 700);
    seeds.push_back(talk.Byte(kHangUp).Byte(0).Byte(fault));
  }
  Seed end = Met();
  seeds.push_back(end.Byte(kHangUp).Byte(0).Byte(1));
  Seed self = Alone();
  self.Byte(kSlot).Byte(1).Byte(1).Number(uint16_t{20000}).Byte(kSlot).Byte(0).Byte(2).Number(uint16_t{20000});
  HostSends(&self, 0, 1, 2000);
  HostSends(&self, 1, 2, 10);
  HostSends(&self, 1, 0, 0);
  seeds.push_back(Seed().Raw(self).Byte(kRefuse).Byte(0).Byte(1));
  HostSends(&self, 0, 3, 9);
  seeds.push_back(self);
  // More than a queue holds, to a peer that does not read until the end.
  Seed flood = Met();
  for (int i = 0; i < 80; ++i) HostSends(&flood, 0, 1, 8000);
  seeds.push_back(Seed().Raw(flood).Byte(kRefuse).Byte(0).Byte(0).Byte(kLimit).Byte(0));
  for (const uint32_t where : {0u, 1u, 2u, 3u, 4u}) {
    seeds.push_back(Seed().Byte(kConnect).Byte(where).Byte(1).Raw("x").Byte(kLimit).Byte(0));
    seeds.push_back(Seed().Byte(kConnect).Byte(where).Byte(1).Raw("x").Byte(kRefuse).Byte(0).Byte(0));
  }
  for (uint32_t fault = 0; fault < 6; ++fault) {
    seeds.push_back(Seed().Byte(kConnect).Byte(1).Byte(0).Byte(kAnswer).Byte(fault).Byte(kSlot).Byte(0).Byte(0).Number(
        uint16_t{8}));
  }
  seeds.push_back(Seed().Byte(kConnect).Byte(1).Byte(0).Byte(kAnswer).Byte(0).Byte(kHangUp).Byte(0).Byte(0));
  seeds.push_back(Seed().Byte(kConnect).Byte(5).Byte(1).Raw("x"));
  seeds.push_back(Seed().Byte(kCrowd));
  for (std::string& seed : seeds) seed.insert(0, 1, '\0');
  seeds.push_back(Seed().Byte(1).Raw(flood).Byte(kRefuse).Byte(0).Byte(1).Byte(kLimit).Byte(0));
  seeds.push_back(Seed().Byte(1).Raw(flood));
  seeds.push_back(Seed().Byte(1).Raw(flood).Byte(kHangUp).Byte(0).Byte(0));
  seeds.push_back(Seed().Byte(2).Raw(Alone()));
  AddConfigSeeds(&seeds);
  return seeds;
}

}  // namespace geeps::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace geeps::fuzz;  // NOLINT
  Input input(data, size);
  const uint8_t mode = static_cast<uint8_t>(input.Below(8));
  if (mode == 7) {
    TryConfig(&input);
  } else {
    Session(&input, mode).Run();
  }
  return 0;
}
