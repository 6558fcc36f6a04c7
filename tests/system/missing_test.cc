// SPDX-License-Identifier: Apache-2.0
// A long wait says in the log whom it waits for.
#include <doctest/doctest.h>

#include <atomic>
#include <string>

#include "tests/system/log_line.h"
#include "tests/system/threads.h"

namespace geeps::system_test {
TEST_CASE("a read that waits longer than wait_warning_ms logs partition, keeper, version and who is missing; then goes on") {
  for (const char* transport : {"inproc", "tcp"}) {
    for (const uint32_t reader : {0u, 1u}) {  // rank 0 keeps the only partition: asked by itself, and by another
      CAPTURE(std::string(transport));
      CAPTURE(reader);
      Setup setup;
      setup.world = 3;
      setup.transport = transport;
      setup.more = {{"wait_warning_ms", "20"}};
      std::atomic<geeps_runtime*> reader_rt{nullptr};
      CHECK(RunWorkers(setup, [&](Worker& w) -> std::string {
              if (w.rank == reader) reader_rt = w.rt.get();
              geeps::Table table(w.rt, "weights", 10, 10, GEEPS_F32, {}, w.err);
              geeps::Walker train(w.rt, "train", w.err);
              std::string problem;
              const auto body = [&](geeps::Walker& walker) {
                walker.PostRead(walker.Read(table, geeps::Rows::All(), 0));
                walker.Update(walker.PreUpdate(table, geeps::Rows::All(), GEEPS_UPDATE_ZEROED));
              };
              train.Record(body);
              w.rt.Commit({train.plan()}, w.err);
              if (w.rank == 2) {
                // The reader waits at clock 1 for this worker's clock 0, which comes when the line has come.
                const std::string line = LineWith(reader_rt, "has waited for 20 ms");
                for (const char* part : {"operation 0 (read of table 'weights') of plan 'train'", "at clock 1",
                                         "partition 0 of table 'weights', kept by rank 0, has version 0",
                                         "clock 0 is missing from rank", " 2"}) {
                  if (line.find(part) == std::string::npos) problem += std::string(part) + " not in: " + line + "; ";
                }
              }
              train.Walk(body);
              train.Walk(body);
              return problem;
            }) == "");
    }
  }
}

}  // namespace geeps::system_test
