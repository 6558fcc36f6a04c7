// SPDX-License-Identifier: Apache-2.0
// clock_mpi: the sum over two processes by MPI_Allreduce. Started by mpirun -n 2.
#include <mpi.h>

#include "tests/bench/measure.h"

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  const geeps_bench::Arguments arguments(argc, argv);
  int rank = 0, world = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &world);
  if (world != 2) {
    std::fprintf(stderr, "%d processes, expected 2\n", world);
    return 1;
  }
  geeps_bench::BindToCore(arguments.cores[static_cast<size_t>(rank)]);
  std::vector<float> update(arguments.values, 1.0f), sum(arguments.values);
  geeps_bench::Times times = geeps_bench::Measure(arguments, [&] {
    MPI_Allreduce(update.data(), sum.data(), static_cast<int>(arguments.values), MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
  });
  geeps_bench::Expect(sum.front(), 2.0f);
  geeps_bench::Expect(sum.back(), 2.0f);
  double cpu_s = 0;
  MPI_Reduce(&times.cpu_seconds, &cpu_s, 1, MPI_DOUBLE, MPI_SUM, 0, MPI_COMM_WORLD);
  times.cpu_seconds = cpu_s;
  if (rank == 0) geeps_bench::Print(arguments, times);
  MPI_Finalize();
  return 0;
}
