// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "runtime/base/status.h"
#include "tests/plan/builder.h"

namespace geeps::plan {
namespace {

std::string Text(Job& job, const Recording& recording, absl::string_view format = "text") {
  const WorkerLayout layout = job.Build({recording.plan()});
  absl::StatusOr<std::string> text = Explain(layout, *recording.plan(), job.input, format);
  REQUIRE(text.ok());
  return *text;
}

bool Has(const std::string& text, absl::string_view part) { return text.find(std::string(part)) != std::string::npos; }

}  // namespace

TEST_CASE("Explain: a small plan in full") {
  Recording a("train");
  const uint32_t read = a.Read(0, Rows(0, 10));
  const uint32_t local = a.Local(0, Rows(0, 4));
  a.UpdateAll(0, Rows(0, 10));
  a.Finish(local);
  a.Finish(read);
  a.ReadAll(1, RowList({1, 5}), 0, kReadCopy);
  a.End();
  Job job;
  job.Table(100, 2).Table(100).Table(100).Local(4, 100);
  CHECK(
      Text(job, a) ==
      "plan 'train': 4 operations, ends with a clock\n"
      "memory: parameter cache 88 bytes, update log 160, access buffers 8, local data 400\n"
      "moved per pass: sent 80 bytes, received 88, copied 8\n"
      "  operation 0 (read of table 't0'): rows 0..9, 80 bytes, in place\n"
      "  operation 1 (access of local data 'l0'): rows 0..3, 400 bytes, in place\n"
      "  operation 2 (update of table 't0'): rows 0..9, 80 bytes, in place\n"
      "  operation 3 (read of table 't1'): rows 1, 5, 2 in all, 8 bytes, copied by 1 runs and 0 single rows: COPY was "
      "asked for\n"
      "  table 't0': cache 80 bytes, update log 160, sent 80, received 80, fired after operation 0 (read of table "
      "'t0'), "
      "read in place until its post-read; its last update is operation 2 (update of table 't0') (late)\n"
      "  table 't1': cache 8 bytes, update log 0, sent 0, received 8, fired after operation 3 (read of table 't1'), "
      "held "
      "until it is filled\n");
}

TEST_CASE("Explain: each reason for a copy has its sentence") {
  Recording a("a");
  a.ReadAll(0, RowList({1, 5}));
  a.ReadAll(0, Rows(1, 7));
  a.ReadAll(1, Rows(0, 5), 2);
  a.ReadAll(2, Rows(0, 2000), 1);
  a.UpdateAll(0, RowList({1, 5}));
  a.UpdateAll(0, Rows(1, 7));
  a.UpdateAll(1, RowList({1, 5}));
  a.UpdateAll(1, RowList({0, 7}));
  a.End();
  Job job;
  job.Table(100).Table(100).Table(4096, 1, true);
  const std::string text = Text(job, a);
  CHECK(Has(text, "its rows are not contiguous in the parameter cache"));
  CHECK(Has(text, "the table is read with slack 2, so versions arrive while it is held"));
  CHECK(Has(text, "it touches 2 partitions and the table is read with slack 1"));
  CHECK(Has(text, "an earlier update of the pass has some of its rows"));
  CHECK(Has(text, "its rows are not contiguous in the update log"));
}

TEST_CASE("Explain: a plan without a clock fires and sends nothing") {
  Recording a("eval");
  a.ReadAll(0, Rows(0, 10));
  a.End(true);
  Job job;
  job.Table(100);
  const std::string text = Text(job, a);
  CHECK(Has(text, "ends without a clock"));
  CHECK(Has(text, "sent 0 bytes, received 0"));
  CHECK(Has(text, "fired never: the plan ends without a clock"));
}

TEST_CASE("Explain: JSON says the same, with names escaped") {
  Recording a("a\"b\\c\n");
  a.ReadAll(0, Rows(0, 10));
  a.UpdateAll(0, RowList({3, 5}));
  a.UpdateAll(0, Rows(4, 1));
  a.End();
  Job job;
  job.Table(100);
  CHECK(
      Text(job, a, "json") ==
      "{\"plan\":\"a\\\"b\\\\c\\u000a\",\"clock\":true,\"memory_bytes\":{\"cache\":40,\"log\":24,\"buffers\":8,"
      "\"local\":0},"
      "\"moved_bytes\":{\"sent\":12,\"received\":40,\"copied\":8},\"operations\":["
      "{\"name\":\"operation 0 (read of table 't0')\",\"rows\":\"rows "
      "0..9\",\"bytes\":40,\"slack\":0,\"in_place\":true},"
      "{\"name\":\"operation 1 (update of table 't0')\",\"rows\":\"rows 3, 5, 2 in all\",\"bytes\":8,\"slack\":0,"
      "\"in_place\":false,\"why_copied\":\"its rows are not contiguous in the update "
      "log\",\"index_runs\":0,\"index_pairs\":2},"
      "{\"name\":\"operation 2 (update of table 't0')\",\"rows\":\"row 4\",\"bytes\":4,\"slack\":0,\"in_place\":true}],"
      "\"tables\":[{\"name\":\"t0\",\"cache_bytes\":40,\"log_bytes\":24,\"sent_bytes\":12,\"received_bytes\":40,"
      "\"fired\":\"at its last update, operation 2 (update of table 't0')\",\"late\":false}]}");
}

TEST_CASE("Explain: another format, and a plan that is not in the layout, are refused") {
  Recording a("a"), b("b");
  a.End();
  b.End();
  Job job;
  const WorkerLayout layout = job.Build({a.plan()});
  CHECK(DetailOf(Explain(layout, *a.plan(), job.input, "xml").status()).code == Code::kInvalid);
  CHECK(DetailOf(Explain(layout, *b.plan(), job.input, "text").status()).code == Code::kNotFound);
}

}  // namespace geeps::plan
