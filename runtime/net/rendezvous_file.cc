// SPDX-License-Identifier: Apache-2.0
#include "runtime/net/rendezvous_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "runtime/base/status.h"
#include "runtime/net/rendezvous.h"

namespace geeps::net {
namespace {

constexpr absl::string_view kFirstLine = "geeps rendezvous 1";
constexpr size_t kBytesMax = 512;  // more than any such file has

class File {
 public:
  explicit File(int fd) : fd_(fd) {}
  ~File() {
    if (fd_ >= 0) close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int fd() const { return fd_; }
  // Whether all that was written has reached the file system.
  bool Close() {
    const int fd = std::exchange(fd_, -1);
    return close(fd) == 0;
  }

 private:
  int fd_;
};

// What is there, up to one byte more than kBytesMax. Errors: NotFound; IoError; WrongState: no regular file.
absl::StatusOr<std::string> ReadText(const std::string& path) {
  // Without blocking: it may be a pipe.
  File file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.fd() < 0) {
    if (errno == ENOENT) return NotFound("the file is not there yet");
    return IoError(errno, "cannot open the file");
  }
  struct stat info;
  if (fstat(file.fd(), &info) != 0) return IoError(errno, "cannot look at the file");
  if (!S_ISREG(info.st_mode)) return WrongState("it is not a regular file");
  std::string text(kBytesMax + 1, '\0');
  size_t bytes = 0;
  for (;;) {
    const ssize_t part = read(file.fd(), text.data() + bytes, text.size() - bytes);
    if (part < 0 && errno == EINTR) continue;
    if (part < 0) return IoError(errno, "cannot read the file");
    if (part == 0) break;
    bytes += static_cast<size_t>(part);
  }
  text.resize(bytes);
  return text;
}

absl::Status WriteText(const std::string& path, absl::string_view text) {
  File file(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (file.fd() < 0) return IoError(errno, absl::StrCat("cannot create ", path));
  while (!text.empty()) {
    const ssize_t part = write(file.fd(), text.data(), text.size());
    if (part < 0 && errno == EINTR) continue;
    if (part < 0) return IoError(errno, absl::StrCat("cannot write ", path));
    text.remove_prefix(static_cast<size_t>(part));
  }
  if (!file.Close()) return IoError(errno, absl::StrCat("cannot write ", path));
  return absl::OkStatus();
}

absl::Status Malformed(absl::string_view what) { return BadData("it is no rendezvous file of this version: ", what); }

}  // namespace

std::string EncodeRendezvousFile(const RendezvousFile& file) {
  return absl::StrCat(kFirstLine, "\naddress ", file.address, "\nport ", file.port, "\nnonce ",
                      absl::Hex(file.nonce, absl::kZeroPad16), "\n");
}

absl::StatusOr<RendezvousFile> DecodeRendezvousFile(absl::string_view text) {
  // What stands behind the fourth line is not looked into, however many lines that are.
  const std::vector<absl::string_view> lines = absl::StrSplit(text, absl::MaxSplits('\n', 4));
  if (lines[0] != kFirstLine) return Malformed("its first line is another one");
  if (text.size() > kBytesMax || lines.size() != 5 || !lines[4].empty()) return Malformed("it has not four lines");
  absl::string_view address = lines[1];
  absl::string_view port = lines[2];
  absl::string_view nonce = lines[3];
  if (!absl::ConsumePrefix(&address, "address ") || !absl::ConsumePrefix(&port, "port ") ||
      !absl::ConsumePrefix(&nonce, "nonce ")) {
    return Malformed("its lines are not address, port and nonce");
  }
  RendezvousFile file;
  const absl::StatusOr<PortRange> range = ParsePortRange(port);
  if (!range.ok() || range->low != range->high) return Malformed("its port is none");
  file.port = range->low;
  if (nonce.size() != 16 || !absl::SimpleHexAtoi(nonce, &file.nonce) || file.nonce == 0)
    return Malformed("its nonce is none");
  absl::StatusOr<std::string> literal = ParseLoopback(address);
  if (!literal.ok()) return Prefixed(literal.status(), "its address");
  file.address = *std::move(literal);
  return file;
}

absl::StatusOr<RendezvousFile> ReadRendezvousFile(const std::string& path) {
  GEEPS_ASSIGN_OR_RETURN(const std::string text, ReadText(path));
  if (text.empty()) return NotFound("the file is empty");
  return DecodeRendezvousFile(text);
}

absl::Status WriteRendezvousFile(const std::string& path, const RendezvousFile& file) {
  const absl::StatusOr<std::string> before = ReadText(path);
  if (DetailOf(before.status()).code == Code::kNoMemory) return before.status();
  const bool there = before.ok() || DetailOf(before.status()).code != Code::kNotFound;
  if (there && (!before.ok() || (!before->empty() &&
                                 before->compare(0, kFirstLine.size(), kFirstLine.data(), kFirstLine.size()) != 0))) {
    return WrongState("rendezvous file://", path, ": what is there is no rendezvous file, and is left alone");
  }
  const std::string written = absl::StrCat(path, ".", absl::Hex(file.nonce, absl::kZeroPad16));
  absl::Status status = WriteText(written, EncodeRendezvousFile(file));
  if (status.ok() && rename(written.c_str(), path.c_str()) != 0) {
    status = IoError(errno, absl::StrCat("cannot rename ", written, " to ", path));
  }
  if (status.ok()) return status;
  unlink(written.c_str());
  return Prefixed(status, absl::StrCat("rendezvous file://", path));
}

void RemoveRendezvousFile(const std::string& path, const RendezvousFile& file) noexcept {
  char wanted[kBytesMax];  // as EncodeRendezvousFile
  const int length = snprintf(wanted, sizeof wanted, "%s\naddress %s\nport %u\nnonce %016" PRIx64 "\n", kFirstLine.data(),
                              file.address.c_str(), static_cast<unsigned>(file.port), file.nonce);
  File there(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  char found[kBytesMax + 1];
  ssize_t bytes = 0;
  do {
    bytes = read(there.fd(), found, sizeof found);
  } while (bytes < 0 && errno == EINTR);
  if (length > 0 && bytes == length && std::memcmp(found, wanted, static_cast<size_t>(length)) == 0) unlink(path.c_str());
}

}  // namespace geeps::net
