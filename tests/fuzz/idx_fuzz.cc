// SPDX-License-Identifier: Apache-2.0
// The data source idx: files of images and labels, plain or compressed, right, damaged or foreign, opened through the
// table of the plugin and walked through; the state of a source; texts that name data sets. A file never costs more
// memory of the host than it can hold.
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "geeps_source.h"
#include "plugins/idx/idx_source.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/temporary_folder.h"

namespace geeps::fuzz {
namespace {

constexpr uint64_t kMaxInflation = 1032;  // of deflate
constexpr int kBatchesMax = 12;
constexpr uint64_t kBufferBytesMax = 1 << 20;
constexpr size_t kBlobBytes = 84;  // of a state

const geeps_source_api& Api() {
  return *static_cast<const geeps_source_api*>(geeps_plugin_query(GEEPS_PLUGIN_ABI)->get_interface(GEEPS_SOURCE_ID));
}

const TemporaryFolder& Folder() {
  static const TemporaryFolder folder;
  return folder;
}

// What a file can hold: its own bytes, or what deflate makes of them.
uint64_t MostOf(const std::string& file) {
  return file.compare(0, 2, "\x1f\x8b") == 0 ? kMaxInflation * file.size() : file.size();
}

// A host that refuses what no file of the input can need.
struct Host {
  static void* Alloc(void* ctx, uint64_t bytes, uint64_t align) {
    Host* const self = static_cast<Host*>(ctx);
    FUZZ_CHECK(bytes <= self->bytes_max);
    ++self->num_live;
    return std::aligned_alloc(align, (bytes + align - 1) / align * align);
  }
  static void Free(void* ctx, void* p, uint64_t, uint64_t) {
    --static_cast<Host*>(ctx)->num_live;
    std::free(p);
  }
  uint64_t bytes_max = 0;
  int num_live = 0;
  const geeps_host table = {sizeof(geeps_host), GEEPS_PLUGIN_ABI, this, nullptr, nullptr, Alloc, Free, nullptr};
};

geeps_error MakeError() {
  geeps_error err = {};
  err.struct_size = sizeof err;
  return err;
}

void CheckRefusal(geeps_status status, const geeps_error& err) {
  FUZZ_CHECK(status < 0 && err.code == status && err.message[0] != 0);
  FUZZ_CHECK(status != GEEPS_E_INTERNAL);
}

std::string Gzip(const std::string& bytes) {
  z_stream stream = {};
  FUZZ_CHECK(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(deflateBound(&stream, bytes.size()) + 32, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  FUZZ_CHECK(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

// An IDX file of unsigned bytes.
std::string IdxBytes(const std::vector<uint32_t>& dims, const std::string& values) {
  std::string bytes("\0\0\x08", 3);
  bytes.push_back(static_cast<char>(dims.size()));
  for (const uint32_t dim : dims) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(dim >> shift));
  }
  return bytes + values;
}

// A slot whose buffers are as long as they must be.
class Slot {
 public:
  Slot(uint32_t samples, uint64_t image_bytes)
      : images_(new uint8_t[samples * image_bytes]),
        labels_(new int64_t[samples]),
        ids_(new uint64_t[samples]),
        lengths_(new uint64_t[2 * uint64_t{samples}]),
        flags_(new uint8_t[samples]) {
    buffers_[0] = {images_.get(), samples * image_bytes, GEEPS_MEM_HOST, -1};
    buffers_[1] = {labels_.get(), samples * sizeof(int64_t), GEEPS_MEM_HOST, -1};
    slot_.struct_size = sizeof slot_;
    slot_.num_buffers = 2;
    slot_.buffers = buffers_;
    slot_.buffer_stride = sizeof buffers_[0];
    slot_.sample_ids = ids_.get();
    slot_.sample_lengths = lengths_.get();
    slot_.sample_flags = flags_.get();
  }
  geeps_source_slot* get() { return &slot_; }
  void Check(uint64_t num_samples, uint32_t slot_samples) const {
    FUZZ_CHECK(slot_.num_samples >= 1 && slot_.num_samples <= slot_samples && slot_.num_valid <= slot_.num_samples);
    FUZZ_CHECK(slot_.position <= num_samples);
    for (uint32_t i = 0; i < slot_.num_samples; ++i) FUZZ_CHECK(ids_[i] < num_samples && labels_[i] <= 255);
  }

 private:
  const std::unique_ptr<uint8_t[]> images_;
  const std::unique_ptr<int64_t[]> labels_;
  const std::unique_ptr<uint64_t[]> ids_;
  const std::unique_ptr<uint64_t[]> lengths_;
  const std::unique_ptr<uint8_t[]> flags_;
  geeps_source_buffer buffers_[2] = {};
  geeps_source_slot slot_ = {};
};

class Session {
 public:
  // The files are there.
  Session(Input* input, Host* host) : input_(*input) {
    const std::string uri = "idx://" + Folder().path();
    const geeps_kv options[] = {{"images", "images"}, {"labels", "labels"}};
    geeps_error err = MakeError();
    const geeps_status status = api_.open(&host->table, uri.c_str(), options, 2, &source_, &err);
    if (status != GEEPS_OK) CheckRefusal(status, err);
    FUZZ_CHECK((status == GEEPS_OK) == (source_ != nullptr));
    FUZZ_CHECK(source_ != nullptr || host->num_live == 0);
  }
  ~Session() { api_.close(source_); }

  void Run() {
    if (source_ == nullptr) return;
    description_.struct_size = sizeof description_;
    image_.struct_size = sizeof image_;
    FUZZ_CHECK(api_.describe(source_, &description_, nullptr) == GEEPS_OK && description_.num_samples >= 1);
    FUZZ_CHECK(api_.get_field(source_, 0, &image_, nullptr) == GEEPS_OK && image_.sample_bytes >= 1);
    char name[512];
    uint64_t len = 0;
    geeps_error err = MakeError();
    const uint64_t id = input_.Byte();
    const geeps_status named = api_.get_sample_name(source_, id, name, sizeof name, &len, &err);
    FUZZ_CHECK((named == GEEPS_OK) == (id < description_.num_samples));
    if (Configure()) Walk();
    TryState();
  }

 private:
  bool Configure() {
    // The size that the program gives, with so much memory behind it as such a program would have: none for a size that
    // no release can have. What it does not know is zero.
    geeps_source_config config = {};
    config.struct_size = input_.Below(16) != 15 ? sizeof config : input_.Number<uint32_t>();
    config.rank = input_.Below(4);
    config.world = input_.Below(4);
    config.global_batch = input_.Below(20);
    config.seed = input_.Byte();
    config.shuffle = input_.Below(5);
    config.shuffle_window = input_.Below(3);
    config.remainder = input_.Below(5);
    config.on_bad = 1 + input_.Below(4);
    layout_.struct_size = sizeof layout_;
    geeps_error err = MakeError();
    const size_t bytes =
        config.struct_size <= 4096 ? std::max<size_t>(config.struct_size, sizeof config) : sizeof config;
    const std::unique_ptr<uint8_t[]> given(new uint8_t[bytes]());
    std::memcpy(given.get(), &config, sizeof config);
    const geeps_status status =
        api_.configure(source_, reinterpret_cast<const geeps_source_config*>(given.get()), &layout_, &err);
    if (status != GEEPS_OK) CheckRefusal(status, err);
    if (config.struct_size < sizeof config || config.struct_size > 4096) FUZZ_CHECK(status == GEEPS_E_ABI);
    return status == GEEPS_OK && layout_.slot_samples * image_.sample_bytes <= kBufferBytesMax;
  }

  void Walk() {
    Slot slot(layout_.slot_samples, image_.sample_bytes);
    bool enqueued = false;
    for (int i = 0; i < kBatchesMax; ++i) {
      if (!enqueued) FUZZ_CHECK(api_.enqueue(source_, slot.get(), nullptr) == GEEPS_OK);
      enqueued = true;
      geeps_source_slot* filled = nullptr;
      geeps_error err = MakeError();
      const geeps_status status = api_.dequeue(source_, 0, &filled, &err);
      FUZZ_CHECK(status == GEEPS_OK || status == GEEPS_END);
      if (status == GEEPS_END) continue;
      FUZZ_CHECK(filled == slot.get());
      enqueued = false;
      slot.Check(description_.num_samples, layout_.slot_samples);
    }
  }

  // Its own state loads; anything else is refused, or leads to a place that is there.
  void TryState() {
    char blob[kBlobBytes];
    uint64_t len = 0;
    geeps_error err = MakeError();
    const uint64_t epoch = input_.Byte();
    const uint64_t position = input_.Byte();
    const geeps_status saved = api_.save_state(source_, epoch, position, blob, sizeof blob, &len, &err);
    if (saved != GEEPS_OK) {
      CheckRefusal(saved, err);
    } else {
      FUZZ_CHECK(len == sizeof blob && api_.load_state(source_, blob, sizeof blob, &err) == GEEPS_OK);
    }
    const uint8_t changed = input_.Byte();
    if (saved == GEEPS_OK && changed != 0) blob[input_.Byte() % (sizeof blob - 4)] ^= static_cast<char>(changed);
    std::string bytes = saved == GEEPS_OK && changed != 0 ? std::string(blob, sizeof blob) : input_.Rest();
    if (bytes.size() >= 4 && input_.left() % 2 == 0) {  // with the right checksum
      const uint32_t crc =
          static_cast<uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size() - 4));
      std::memcpy(bytes.data() + bytes.size() - 4, &crc, sizeof crc);
    }
    const geeps_status loaded = api_.load_state(source_, bytes.data(), bytes.size(), &err);
    if (loaded != GEEPS_OK) CheckRefusal(loaded, err);
  }

  Input& input_;
  const geeps_source_api& api_ = Api();
  geeps_source_handle* source_ = nullptr;
  geeps_source_description description_ = {};
  geeps_source_field image_ = {};
  geeps_source_layout layout_ = {};
};

enum Form : uint8_t { kPlain, kCompressed, kCut, kDamaged, kNumForms };

// A file in one of the forms. `what`: where it is cut or damaged.
std::string InForm(const std::string& bytes, Form form, size_t what) {
  if (form == kPlain) return bytes;
  std::string packed = Gzip(bytes);
  if (form == kCut) packed.resize(what % packed.size());
  if (form == kDamaged) packed[what % packed.size()] ^= 0x10;
  return packed;
}

void TryFiles(Input* input) {
  const Form image_form = static_cast<Form>(input->Below(kNumForms));
  const Form label_form = static_cast<Form>(input->Below(kNumForms));
  const size_t what = input->Number<uint16_t>();
  const std::string images = InForm(input->Text(), image_form, what);
  const std::string labels = InForm(input->Text(), label_form, what);
  WriteFile(Folder().File("images"), images);
  WriteFile(Folder().File("labels"), labels);
  Host host;
  host.bytes_max = std::max(MostOf(images), MostOf(labels));
  Session(input, &host).Run();
  FUZZ_CHECK(host.num_live == 0);
}

// No file at all, or something else in its place.
void TryPlaces(Input* input) {
  Host host;
  idx::IdxFile file;
  const uint32_t place = input->Below(3);
  const std::string path = place == 0 ? Folder().path() : place == 1 ? Folder().File("nothing") : "/dev/null";
  const idx::Status status = idx::ReadIdxFile(&host.table, path, 1, 3, &file);
  FUZZ_CHECK(!status.ok() && !status.text().empty());
  FUZZ_CHECK(status.code() == (place == 1 ? GEEPS_E_NOT_FOUND : GEEPS_E_IO));
}

// Where files are looked for is decided by names alone.
void TryUri(Input* input) {
  WriteFile(Folder().File("train-images-idx3-ubyte"), "");
  std::string uri = input->CText();
  if (input->Flag()) uri = "idx://" + Folder().path() + uri;
  std::vector<std::pair<std::string, std::string>> texts;
  while (!input->done() && texts.size() < 4) {
    static const char* const kKeys[] = {"split", "images", "labels", ""};
    const uint32_t key = input->Below(4);
    const std::string word = key == 3 ? input->CText() : kKeys[key];
    texts.emplace_back(word, input->CText());
  }
  std::vector<geeps_kv> options;
  bool none = false;
  for (const auto& [key, value] : texts) {
    options.push_back({key.c_str(), value == "NULL" ? nullptr : value.c_str()});
    none = none || value == "NONE";
  }
  idx::DataSetPaths paths;
  const idx::Status status =
      idx::ParseUri(uri == "NULL" ? nullptr : uri.c_str(), none ? nullptr : options.data(), options.size(), &paths);
  if (!status.ok()) {
    FUZZ_CHECK(status.code() == GEEPS_E_INVALID && !status.text().empty() && paths.images.empty());
    return;
  }
  FUZZ_CHECK(paths.images[0] == '/' && paths.labels[0] == '/');
}

// --- seeds ---

Seed Files(Form image_form, Form label_form, uint16_t what, const std::string& images, const std::string& labels) {
  return Seed().Byte(0).Byte(image_form).Byte(label_form).Number(what).Text(images).Text(labels);
}

// The name of a sample, the configuration: size, rank, world, batch, seed, shuffle, window, remainder, what to do about
// bad ones; then epoch and position of a state.
Seed& Configured(Seed* seed, uint32_t batch, uint32_t shuffle, uint32_t window, uint32_t remainder) {
  return seed->Byte(1)
      .Byte(0)
      .Byte(0)
      .Byte(2)
      .Byte(batch)
      .Byte(7)
      .Byte(shuffle)
      .Byte(window)
      .Byte(remainder)
      .Byte(0)
      .Byte(1)
      .Byte(2);
}

void AddFileSeeds(std::vector<std::string>* seeds) {
  const std::string images = IdxBytes({5, 2, 3}, std::string(30, 'i'));
  const std::string labels = IdxBytes({5}, std::string("\0\1\2\3\4", 5));
  for (uint32_t form = 0; form < kNumForms; ++form) {
    for (const uint16_t what : {uint16_t{5}, uint16_t{24}, uint16_t{38}}) {
      seeds->push_back(Files(static_cast<Form>(form), kPlain, what, images, labels));
    }
  }
  for (uint32_t shuffle = 1; shuffle <= 3; ++shuffle) {
    for (uint32_t remainder = 1; remainder <= 3; ++remainder) {
      Seed seed = Files(kCompressed, kCompressed, 0, images, labels);
      seeds->push_back(Configured(&seed, 4, shuffle, shuffle == 3 ? 2 : 0, remainder));
    }
  }
  // A state with one byte of each field changed.
  for (const uint32_t place : {0u, 8u, 12u, 16u, 24u, 32u, 40u, 48u, 79u}) {
    Seed seed = Files(kPlain, kPlain, 0, images, labels);
    seeds->push_back(Configured(&seed, 4, 2, 0, 2).Byte(1).Byte(place));
    seeds->push_back(
        Configured(&(seed = Files(kPlain, kPlain, 0, images, labels)), 4, 2, 0, 2).Byte(1).Byte(place).Byte(0));
  }
  Seed text = Files(kPlain, kPlain, 0, images, labels);
  seeds->push_back(Configured(&text, 4, 2, 0, 2).Byte(0).Raw("no state"));
  for (const uint32_t size : {0u, 3u, 48u, 4096u, 0xffffffffu}) {
    seeds->push_back(Files(kPlain, kPlain, 0, images, labels).Byte(1).Byte(15).Number(size).Byte(0).Byte(2).Byte(4));
  }
  const std::vector<std::string> odd = {
      "",
      std::string(3, '\0'),
      std::string("\0\1\x08\3", 4),
      std::string("\0\0\x0d\3", 4),
      std::string("\0\0\x08\1", 4),
      std::string("\0\0\x08\3\0\0", 6),
      IdxBytes({5, 0, 3}, ""),
      IdxBytes({5, 2, 4}, std::string(30, 'i')),
      IdxBytes({5, 2, 2}, std::string(30, 'i')),
      IdxBytes({0xffffffff, 0xffffffff, 0xffffffff}, "x"),
      IdxBytes({1000, 1000, 10}, "x"),
      IdxBytes({1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, "x"),
      IdxBytes({6, 2, 2}, std::string(24, 'i')),
  };
  for (const std::string& bytes : odd) {
    seeds->push_back(Files(kPlain, kPlain, 0, bytes, labels));
    seeds->push_back(Files(kCompressed, kCompressed, 0, bytes, labels));
    seeds->push_back(Files(kPlain, kPlain, 0, images, bytes));
  }
}

}  // namespace

std::vector<std::string> FuzzSeeds() {
  std::vector<std::string> seeds;
  AddFileSeeds(&seeds);
  for (uint32_t place = 0; place < 3; ++place) seeds.push_back(Seed().Byte(1).Byte(place));
  for (const char* uri : {"", "NULL", "idx://", "idx://relative", "idx:///", "idx:///data//", "file:///x"}) {
    seeds.push_back(Seed().Byte(2).Text(uri).Byte(0));
  }
  for (const char* value : {"train", "test", "both", "", "a/b", "NULL", "name"}) {
    for (uint32_t key = 0; key < 3; ++key) seeds.push_back(Seed().Byte(2).Text("").Byte(1).Byte(key).Text(value));
  }
  seeds.push_back(Seed().Byte(2).Text("").Byte(1).Byte(3).Text("unknown").Text("x"));
  seeds.push_back(Seed().Byte(2).Text("idx:///x").Byte(0));
  seeds.push_back(Seed().Byte(2).Text("").Byte(1).Byte(0).Text("NONE"));
  return seeds;
}

}  // namespace geeps::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace geeps::fuzz;  // NOLINT
  Input input(data, size);
  switch (input.Below(3)) {
    case 0:
      TryFiles(&input);
      break;
    case 1:
      TryPlaces(&input);
      break;
    default:
      TryUri(&input);
      break;
  }
  return 0;
}
