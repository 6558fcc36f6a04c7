// SPDX-License-Identifier: Apache-2.0
#include "plugins/idx/idx_file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

namespace geeps::idx {
namespace {

constexpr uint32_t kTypeU8 = 8;
// A deflate stream holds at most 1032 times its own size (zlib technical details); a header that promises more is a
// lie.
constexpr uint64_t kMaxInflation = 1032;
constexpr uint32_t kReadChunkBytes = 1u << 20;

Status IoError(const std::string& path, const char* verb, int error) {
  const geeps_status code = error == ENOENT || error == ENOTDIR ? GEEPS_E_NOT_FOUND : GEEPS_E_IO;
  return Status(code, path + ": cannot " + verb + ": " + std::strerror(error), error);
}

Status DataError(const std::string& path, const std::string& text) { return Status(GEEPS_E_DATA, path + ": " + text); }

std::string Product(const std::vector<uint64_t>& dims) {
  std::string text;
  for (uint64_t dim : dims) text += (text.empty() ? "" : " x ") + std::to_string(dim);
  return text;
}

// A file opened through zlib, which passes plain files on as they are.
class Reader {
 public:
  Reader() = default;
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  ~Reader() {
    if (file_ != nullptr) gzclose_r(file_);
  }

  Status Open(const std::string& path) {
    path_ = path;
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // NONBLOCK: a FIFO must not hold us
    if (fd < 0) return IoError(path, "open", errno);
    struct stat info;
    const int error = fstat(fd, &info) == 0 ? 0 : errno;
    const bool regular = error == 0 && S_ISREG(info.st_mode);
    if (regular) file_ = gzdopen(fd, "rb");
    if (file_ == nullptr) close(fd);  // before a text, for which there may be no memory
    if (error != 0) return IoError(path, "stat", error);
    if (!regular) return Status(GEEPS_E_IO, path + ": is not a regular file");
    if (file_ == nullptr) return Status(GEEPS_E_NOMEM, path + ": no memory to read it");
    file_bytes_ = static_cast<uint64_t>(info.st_size);
    gzbuffer(file_, 256 * 1024);
    return Status();
  }

  // Reads up to `bytes`; *got is smaller only at the end of the file.
  Status Read(uint8_t* out, uint64_t bytes, uint64_t* got) {
    *got = 0;
    while (*got < bytes) {
      const uint64_t want = std::min<uint64_t>(bytes - *got, kReadChunkBytes);
      errno = 0;
      const int n = gzread(file_, out + *got, static_cast<unsigned>(want));
      int code = Z_OK;
      gzerror(file_, &code);
      if (n < 0 && code == Z_ERRNO) return IoError(path_, "read", errno);
      if (n < 0 || (code != Z_OK && code != Z_STREAM_END)) {
        *got += n > 0 ? static_cast<uint64_t>(n) : 0;
        return DataError(path_, "the gzip stream is damaged or cut off in a file of " + std::to_string(file_bytes_) +
                                    " bytes, after " + std::to_string(total_ + *got) + " bytes of contents");
      }
      if (n == 0) break;
      *got += static_cast<uint64_t>(n);
    }
    total_ += *got;
    return Status();
  }

  bool compressed() const { return gzdirect(file_) == 0; }
  uint64_t file_bytes() const { return file_bytes_; }

 private:
  std::string path_;
  gzFile file_ = nullptr;
  uint64_t file_bytes_ = 0;
  uint64_t total_ = 0;
};

Status ReadHeader(Reader* reader, uint32_t min_dims, uint32_t max_dims,
                   IdxFile* out) {
  uint8_t magic[4];
  uint64_t got = 0;
  if (Status s = reader->Read(magic, sizeof magic, &got); !s.ok()) return s;
  if (got != sizeof magic) {
    return DataError(out->path, "expected an IDX header of at least 8 bytes, found " + std::to_string(got));
  }
  if (magic[0] != 0 || magic[1] != 0) {
    return DataError(out->path, "is no IDX file: expected 0 0 as its first bytes, found " +
                                    std::to_string(magic[0]) + " " + std::to_string(magic[1]));
  }
  if (magic[2] != kTypeU8) {
    return DataError(out->path,
                     "expected values of IDX type 8 (unsigned bytes), found type " + std::to_string(magic[2]));
  }
  const uint32_t num_dims = magic[3];
  if (num_dims < min_dims || num_dims > max_dims) {
    return DataError(out->path, "expected " + std::to_string(min_dims) + " to " + std::to_string(max_dims) +
                                    " dimensions, found " + std::to_string(num_dims));
  }
  uint8_t raw[4 * 255] = {};
  if (Status s = reader->Read(raw, 4 * num_dims, &got); !s.ok()) return s;
  if (got != 4 * num_dims) {
    return DataError(out->path, "expected " + std::to_string(4 * num_dims) + " bytes of dimensions, found " +
                                    std::to_string(got));
  }
  for (uint32_t i = 0; i < num_dims; ++i) {
    const uint8_t* p = raw + 4 * i;
    out->dims.push_back(uint64_t{p[0]} << 24 | uint64_t{p[1]} << 16 | uint64_t{p[2]} << 8 | uint64_t{p[3]});
    if (out->dims.back() == 0) return DataError(out->path, "dimension " + std::to_string(i) + " is 0");
  }
  return Status();
}

// The bytes of values that the dimensions promise, after a check that the file can hold them.
Status CheckSize(const Reader& reader, IdxFile* out, uint64_t* value_bytes) {
  const uint64_t header_bytes = 4 + 4 * out->dims.size();
  const uint64_t most =
      reader.compressed() ? reader.file_bytes() * kMaxInflation
                          : (reader.file_bytes() < header_bytes ? 0 : reader.file_bytes() - header_bytes);
  uint64_t product = 1;
  for (uint64_t dim : out->dims) {
    if (__builtin_mul_overflow(product, dim, &product)) product = UINT64_MAX;
    if (product == UINT64_MAX) break;
  }
  if (product > most) {
    return DataError(out->path, "the header promises " + Product(out->dims) + " = " +
                                    (product == UINT64_MAX ? "more than 2^64" : std::to_string(product)) +
                                    " bytes, the file of " + std::to_string(reader.file_bytes()) +
                                    " bytes can hold at most " + std::to_string(most));
  }
  out->sample_bytes = product / out->dims[0];
  *value_bytes = product;
  return Status();
}

}  // namespace

HostBuffer::~HostBuffer() {
  if (data_ != nullptr) host_->free(host_->ctx, data_, bytes_, kAlign);
}

bool HostBuffer::Allocate(const geeps_host* host, uint64_t bytes) {
  data_ = static_cast<uint8_t*>(host->alloc(host->ctx, bytes, kAlign));
  host_ = host;
  bytes_ = bytes;
  return data_ != nullptr;
}

Status ReadIdxFile(const geeps_host* host, const std::string& path, uint32_t min_dims, uint32_t max_dims,
                   IdxFile* out) {
  out->path = path;
  out->dims.clear();
  Reader reader;
  if (Status s = reader.Open(path); !s.ok()) return s;
  out->file_bytes = reader.file_bytes();
  if (Status s = ReadHeader(&reader, min_dims, max_dims, out); !s.ok()) return s;
  uint64_t bytes = 0;
  if (Status s = CheckSize(reader, out, &bytes); !s.ok()) return s;
  if (!out->values.Allocate(host, bytes)) {
    return Status(GEEPS_E_NOMEM, path + ": no memory for " + std::to_string(bytes) + " bytes");
  }
  uint64_t got = 0;
  if (Status s = reader.Read(out->values.data(), bytes, &got); !s.ok()) return s;
  const std::string promised = "the header promises " + Product(out->dims) + " = " + std::to_string(bytes) + " bytes, ";
  if (got != bytes) return DataError(path, promised + "the file holds " + std::to_string(got));
  uint8_t more;
  // Reading on to the end also makes zlib compare the checksum of a compressed file.
  if (Status s = reader.Read(&more, 1, &got); !s.ok()) return s;
  if (got != 0) return DataError(path, promised + "the file holds more");
  out->crc = static_cast<uint32_t>(crc32_z(0, out->values.data(), bytes));
  return Status();
}

bool FileExists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

}  // namespace geeps::idx
