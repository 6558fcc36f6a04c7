// SPDX-License-Identifier: Apache-2.0
// What the CUDA back end says to a process that asks for its devices and opens the one of a number. Prints for each of
// the two: the status, the number of devices or nothing, the sentence. It is a build without nvcc. The driver is looked
// for once in a process, hence a process of its own. usage: cuda_absence_probe NUMBER
#include <cstdio>
#include <cstdlib>

#include "plugins/cuda/table.h"

int main(int argc, char** argv) {
  const geeps_device* const table = geeps::cuda::DeviceTable();
  geeps_error err = {};
  err.struct_size = sizeof(err);
  geeps_dev_info info = {};
  info.struct_size = sizeof(info);
  uint64_t num = 77;
  geeps_status status = table->list(nullptr, &info, sizeof(info), 1, &num, &err);
  std::printf("%d|%d|%s|%s\n", status, static_cast<int>(num), err.message, info.name);
  geeps_dev* const untouched = reinterpret_cast<geeps_dev*>(&num);
  geeps_dev* dev = untouched;
  geeps_dev_config config = {};
  config.struct_size = sizeof(config);
  config.device_id = argc > 1 ? std::atoi(argv[1]) : -1;
  err = {};
  err.struct_size = sizeof(err);
  status = table->create(nullptr, &config, &dev, &err);
  std::printf("%d|%d|%s|\n", status, dev == untouched ? 77 : 0, err.message);
  return 0;
}
