// SPDX-License-Identifier: Apache-2.0
// The lines that `geeps top` shows. Pure.
#ifndef GEEPS_TOOLS_GEEPS_TOP_SCREEN_H_
#define GEEPS_TOOLS_GEEPS_TOP_SCREEN_H_

#include <map>
#include <string>
#include <vector>

#include "tools/geeps/top_picture.h"

namespace geeps::tool {

// The last two pictures of a worker; rates are of the time between them. `before` is empty at first: since the start.
struct SeenWorker {
  WorkerPicture before;
  WorkerPicture now;
};

// A heading, the names of the columns, a line for each worker.
std::vector<std::string> ScreenOf(const std::map<int, SeenWorker>& workers);

// All workers have written, and none of them goes on.
bool IsOver(const std::map<int, SeenWorker>& workers);

// "the job has ended after 12.3 s: 3 ended, 1 lost"
std::string EndOf(const std::map<int, SeenWorker>& workers);

}  // namespace geeps::tool

#endif  // GEEPS_TOOLS_GEEPS_TOP_SCREEN_H_
