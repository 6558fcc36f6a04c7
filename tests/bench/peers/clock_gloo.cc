// SPDX-License-Identifier: Apache-2.0
// clock_gloo: the sum over two processes by gloo's allreduce over its TCP transport, which sleeps while it waits.
#include <gloo/allreduce.h>
#include <gloo/math.h>
#include <gloo/rendezvous/context.h>
#include <gloo/rendezvous/file_store.h>
#include <gloo/transport/tcp/device.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "tests/bench/measure.h"

namespace {

geeps_bench::Times Run(const geeps_bench::Arguments& arguments, const std::string& folder, int rank) {
  geeps_bench::BindToCore(arguments.cores[static_cast<size_t>(rank)]);
  gloo::transport::tcp::attr attributes("127.0.0.1");
  auto device = gloo::transport::tcp::CreateDevice(attributes);
  gloo::rendezvous::FileStore store(folder);
  auto context = std::make_shared<gloo::rendezvous::Context>(rank, 2);
  context->connectFullMesh(store, device);

  std::vector<float> update(arguments.values, 1.0f), sum(arguments.values);
  void (*const add)(void*, const void*, const void*, size_t) = &gloo::sum<float>;
  const geeps_bench::Times times = geeps_bench::Measure(arguments, [&] {
    gloo::AllreduceOptions options(context);
    options.setInput(update.data(), update.size());
    options.setOutput(sum.data(), sum.size());
    options.setReduceFunction(add);
    gloo::allreduce(options);
  });
  geeps_bench::Expect(sum.front(), 2.0f);
  geeps_bench::Expect(sum.back(), 2.0f);
  return times;
}

}  // namespace

int main(int argc, char** argv) {
  const geeps_bench::Arguments arguments(argc, argv);
  char folder[] = "/tmp/clock-gloo-XXXXXX";
  int result[2];
  if (mkdtemp(folder) == nullptr || pipe(result) != 0) {
    std::perror("clock_gloo");
    return 1;
  }
  const pid_t child = fork();
  if (child == 0) {
    const double cpu_s = Run(arguments, folder, 1).cpu_seconds;
    _exit(write(result[1], &cpu_s, sizeof cpu_s) == sizeof cpu_s ? 0 : 1);
  }
  close(result[1]);
  geeps_bench::Times times = Run(arguments, folder, 0);
  double other_cpu_s = 0;
  int status = 1;
  const bool good = read(result[0], &other_cpu_s, sizeof other_cpu_s) == sizeof other_cpu_s &&
                    waitpid(child, &status, 0) == child && status == 0;
  times.cpu_seconds += other_cpu_s;
  if (good) geeps_bench::Print(arguments, times);
  const std::string remove = std::string("rm -rf ") + folder;
  return std::system(remove.c_str()) == 0 && good ? 0 : 1;
}
