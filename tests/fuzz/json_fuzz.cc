// SPDX-License-Identifier: Apache-2.0
// What the program geeps reads that workers, or anybody, have written into a folder: JSON texts, the statistics behind
// `geeps top`, and the traces that become one. Whatever lies there, the answer is a picture, or a sentence.
#include <unistd.h>

#include <map>
#include <optional>

#include "tests/fuzz/fuzz.h"
#include "tests/support/temporary_folder.h"
#include "tools/geeps/json_value.h"
#include "tools/geeps/top_picture.h"
#include "tools/geeps/trace_merge.h"

namespace geeps::fuzz {
namespace {

using tool::JsonValue;

constexpr int kDepthMax = 34;             // a value, 32 levels, and what is in the last one
constexpr uint64_t kBytesPerByte = 1024;  // `[[[1,` has a value for each byte and a half, and vectors grow by doubling
constexpr uint64_t kBytesAlways = 4096;

const TemporaryFolder& Folder() {
  static const TemporaryFolder folder;
  return folder;
}

void Walk(const JsonValue& value, int depth) {
  FUZZ_CHECK(depth <= kDepthMax);
  FUZZ_CHECK(!(value.text().has_value() && value.number().has_value()));
  (void)value["state"].number();
  for (const JsonValue& item : value.items()) Walk(item, depth + 1);
}

void TryText(const std::string& text) {
  const Meter meter;
  const std::optional<JsonValue> value = JsonValue::Parse(text);
  FUZZ_CHECK(meter.peak_bytes() <= kBytesAlways + kBytesPerByte * text.size());
  if (!value.has_value()) return;
  Walk(*value, 0);
  // As an element of an array it is the same.
  const std::optional<JsonValue> array = JsonValue::Parse("[ " + text + " ,0]");
  if (!array.has_value()) return;  // it had 32 levels already
  FUZZ_CHECK(array->items().size() == 2 && array->items()[1].number() == 0u);
  FUZZ_CHECK(array->items()[0].text() == value->text() && array->items()[0].items().size() == value->items().size());
}

// A text in quotation marks is read as it was.
void TryQuoted(const std::string& bytes) {
  std::string quoted = "\"";
  for (const char letter : bytes) {
    char escape[8];
    std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(letter) & 0x7f);
    quoted += escape;
  }
  const std::optional<JsonValue> value = JsonValue::Parse(quoted + "\"");
  FUZZ_CHECK(value.has_value() && value->text().has_value() && value->text()->size() == bytes.size());
  for (size_t i = 0; i < bytes.size(); ++i) FUZZ_CHECK((*value->text())[i] == (bytes[i] & 0x7f));
}

void TryPicture(Input* input) {
  const std::string& folder = Folder().path();
  const int rank = input->Below(3);
  FUZZ_CHECK(!tool::PrepareStatsFolder(folder).has_value());
  WriteFile(tool::StatsFileOf(folder, rank), input->Rest());
  std::map<int, tool::WorkerPicture> workers;
  const std::optional<std::string> trouble = tool::ReadPictures(folder, &workers);
  FUZZ_CHECK(trouble.has_value() != (workers.size() == 1));
  if (trouble.has_value()) {
    FUZZ_CHECK(!trouble->empty());
    return;
  }
  for (const auto& [name, waited_ns] : workers[rank].tables) {
    for (const char letter : name) FUZZ_CHECK(letter >= 0x20 && letter <= 0x7e);
  }
  for (const char letter : workers[rank].cause) FUZZ_CHECK(letter >= 0x20 && letter <= 0x7e);
}

// Two workers' traces; the second one may be cut off.
void TryTraces(Input* input) {
  const std::string& folder = Folder().path();
  FUZZ_CHECK(!tool::PrepareTraceFolder(folder, 3).has_value());
  const uint32_t num_files = input->Below(3);
  uint64_t bytes = 0;
  for (uint32_t rank = 0; rank < num_files; ++rank) {
    const std::string text = rank + 1 == num_files ? input->Rest() : input->Text();
    bytes += text.size();
    WriteFile(tool::TraceFileOf(folder, static_cast<int>(rank)), text);
  }
  int num_merged = -1;
  FUZZ_CHECK(!tool::MergeTraces(folder, 3, &num_merged).has_value());
  FUZZ_CHECK(num_merged == static_cast<int>(num_files));
  const std::string merged = ReadFile(folder + "/trace.json");
  FUZZ_CHECK(merged.rfind("{\"traceEvents\":[", 0) == 0 && merged.size() >= 20);
  FUZZ_CHECK(merged.compare(merged.size() - 4, 4, "\n]}\n") == 0);
  // A time takes at most 20 letters more than it had.
  FUZZ_CHECK(merged.size() <= 64 + 4 * bytes);
}

// A folder that is none, or holds what nobody wrote.
void TryFolder(Input* input) {
  const std::string path = Folder().File("nothing");
  std::map<int, tool::WorkerPicture> workers;
  unlink(path.c_str());
  if (input->Flag()) WriteFile(path, "no folder");
  int num_merged = 0;
  FUZZ_CHECK(tool::ReadPictures(path, &workers).has_value());
  FUZZ_CHECK(tool::MergeTraces(path, 2, &num_merged).has_value());
  FUZZ_CHECK(tool::PrepareTraceFolder(path + "/below", 2).has_value());
  FUZZ_CHECK(tool::PrepareStatsFolder(path + "/below").has_value());
  if (access(path.c_str(), F_OK) == 0) FUZZ_CHECK(tool::PrepareTraceFolder(path, 2).has_value());
  unlink(path.c_str());
  const std::string file = tool::StatsFileOf(Folder().path(), 7);
  FUZZ_CHECK(symlink(Folder().path().c_str(), file.c_str()) == 0);
  FUZZ_CHECK(tool::ReadPictures(Folder().path(), &workers).has_value());
  unlink(file.c_str());
}

constexpr char kStatistics[] =
    R"({"state":"running","rank":1,"world":2,"clock":7,"elapsed_ns":5000,"process":4711,"cause":"none\u0007",)"
    R"("waiting":{"wait_ns":12,"now_ns":3,"imbalance_ns":4,"stall_ns":5},)"
    R"("bytes":{"contribution_bytes_received":1,"publish_bytes_received":2,"contribution_bytes_sent":3,)"
    R"("publish_bytes_sent":4},"tables":[{"name":"w\u00fc","waiting":{"wait_ns":1,"now_ns":0}}]})";

constexpr char kTrace[] =
    "[\n{\"ph\":\"M\",\"pid\":0,\"name\":\"process_name\"},\n{\"ph\":\"X\",\"ts\":1234.567,\"dur\":2.000,\"name\":"
    "\"read\"},\n"
    "{\"ph\":\"X\",\"ts\":12.3,\"name\":\"odd\"},\n{\"ph\":\"X\",\"ts\":9";

std::string Replaced(std::string text, const std::string& what, const std::string& by) {
  const size_t at = text.find(what);
  FUZZ_CHECK(at != std::string::npos);
  return text.replace(at, what.size(), by);
}

}  // namespace

std::vector<std::string> FuzzSeeds() {
  std::vector<std::string> seeds = {Seed().Byte(0).Raw(kStatistics), Seed().Byte(1).Raw("a\n\"\\"),
                                    Seed().Byte(2).Byte(1).Raw(kStatistics), Seed().Byte(2).Byte(0).Raw(kStatistics)};
  for (const char* text : {"", "{}", "[]", " [1, 2.5e-3, \"x\"]", "true", "null", "\"\\", "\"\\n\\u0041\\u20ac\"",
                           "\"\\u00", "\"\\uzzzz\"", "{\"a\":1,\"a\":2}", "{\"a\"}", "[1", "1 2",
                           "18446744073709551615", "18446744073709551616", "-1", "\"open"}) {
    seeds.push_back(Seed().Byte(0).Raw(text));
  }
  seeds.push_back(Seed().Byte(0).Raw(std::string(32, '[') + std::string(32, ']')));
  seeds.push_back(Seed().Byte(0).Raw(std::string(40, '[') + std::string(40, ']')));
  for (const char* state : {"ended", "lost", "?"}) {
    seeds.push_back(Seed().Byte(2).Byte(1).Raw(Replaced(kStatistics, "running", state)));
  }
  for (const char* part : {"\"world\":2,", "\"wait_ns\":12,", "\"publish_bytes_sent\":4", "\"name\":\"w\\u00fc\","}) {
    seeds.push_back(Seed().Byte(2).Byte(1).Raw(Replaced(kStatistics, part, "")));
  }
  seeds.push_back(Seed().Byte(2).Byte(1).Raw(Replaced(kStatistics, "\"wait_ns\":1,", "\"x\":1,")));
  seeds.push_back(Seed().Byte(3).Byte(1).Raw(kTrace));
  seeds.push_back(Seed().Byte(3).Byte(2).Text(Replaced(kTrace, "1234", "1")).Raw(kTrace));
  seeds.push_back(Seed().Byte(3).Byte(1).Raw(Replaced(kTrace, "1234", "99999999999999999999")));
  seeds.push_back(Seed().Byte(3).Byte(0));
  seeds.push_back(Seed().Byte(4).Byte(0));
  seeds.push_back(Seed().Byte(4).Byte(1));
  return seeds;
}

}  // namespace geeps::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace geeps::fuzz;  // NOLINT
  Input input(data, size);
  switch (input.Below(5)) {
    case 0:
      TryText(input.Rest());
      break;
    case 1:
      TryQuoted(input.Rest());
      break;
    case 2:
      TryPicture(&input);
      break;
    case 3:
      TryTraces(&input);
      break;
    default:
      TryFolder(&input);
      break;
  }
  return 0;
}
