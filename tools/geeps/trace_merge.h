// SPDX-License-Identifier: Apache-2.0
// Makes one trace of those of the workers of a job on this machine: their times are of one clock.
// Thread contract: any thread, one at a time for one folder.
#ifndef GEEPS_TOOLS_GEEPS_TRACE_MERGE_H_
#define GEEPS_TOOLS_GEEPS_TRACE_MERGE_H_

#include <optional>
#include <string>

namespace geeps::tool {

// "FOLDER/rank-R.json"
std::string TraceFileOf(const std::string& folder, int rank);

// Prepares the folder: creates it, if need be, and removes what TraceFileOf names. Returns what is wrong, or nothing.
std::optional<std::string> PrepareTraceFolder(const std::string& folder, int num_workers);

// Writes FOLDER/trace.json with the events of all workers; times begin at 0. What a worker that was killed has written
// is taken as far as it goes. *num_merged: workers with a trace. Returns what is wrong, or nothing.
std::optional<std::string> MergeTraces(const std::string& folder, int num_workers, int* num_merged);

}  // namespace geeps::tool

#endif  // GEEPS_TOOLS_GEEPS_TRACE_MERGE_H_
