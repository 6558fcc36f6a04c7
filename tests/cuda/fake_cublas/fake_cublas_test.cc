// SPDX-License-Identifier: Apache-2.0
// The fake cuBLAS as a library and as a judge.
#include "tests/cuda/fake_cublas/fake_cublas.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>

#include "tests/cuda/fake/session.h"

namespace geeps::fake {
namespace {

using namespace cublas;  // NOLINT: the functions under test

constexpr uint64_t kWorkspaceBytes = 1024;

// A handle that is set up as it should be.
struct Blas {
  Blas(Session* session, cuda::NativeStream native) : stream(native) {
    REQUIRE(FakeBlasCreate(&handle) == 0);
    CHECK(FakeBlasSetStream(handle, native) == 0);
    CHECK(FakeBlasSetWorkspace(handle, Pointer(session->NewMemory(kWorkspaceBytes)), kWorkspaceBytes) == 0);
    CHECK(FakeBlasSetMathMode(handle, 2) == 0);
    CHECK(FakeBlasSetAtomicsMode(handle, 0) == 0);
  }
  ~Blas() {
    if (handle != nullptr) CHECK(FakeBlasDestroy(handle) == 0);
  }
  static float* Pointer(cuda::DevicePointer memory) { return reinterpret_cast<float*>(memory); }
  int Multiply(int transa, int transb, int m, int n, int k, cuda::DevicePointer a, int lda, cuda::DevicePointer b,
               int ldb, float beta, cuda::DevicePointer c, int ldc) const {
    const float alpha = 2;
    return FakeBlasSgemm(handle, transa, transb, m, n, k, &alpha, Pointer(a), lda, Pointer(b), ldb, &beta, Pointer(c),
                         ldc);
  }
  BlasHandle handle = nullptr;
  cuda::NativeStream stream;
};

cuda::DevicePointer Put(Session* session, const std::vector<float>& values, cuda::NativeStream stream) {
  const size_t bytes = values.size() * sizeof(float);
  uint8_t* const pinned = session->NewPinned(bytes);
  std::memcpy(pinned, values.data(), bytes);
  const cuda::DevicePointer memory = session->NewMemory(bytes);
  CHECK(api::FakeMemcpyAsync(memory, AddressOf(pinned), bytes, stream) == 0);
  return memory;
}

std::vector<float> Values(size_t n, int factor) {
  std::vector<float> values(n);
  for (size_t i = 0; i < n; ++i) values[i] = static_cast<float>(static_cast<int>(i * 7 + 3) % 11 * factor - 5);
  return values;
}

TEST_CASE("Fake cuBLAS: a product is what its definition says, for every transposition, with gaps between columns") {
  constexpr int m = 3, n = 4, k = 5, gap = 2;
  for (const std::string& schedule : {std::string("lazy"), std::string("eager"), std::string("seeded:1")}) {
    for (int transposes = 0; transposes < 4; ++transposes) {
      for (const float beta : {0.0f, 3.0f}) {
        CAPTURE(schedule);
        CAPTURE(transposes);
        Session session("schedule=" + schedule);
        const auto stream = session.NewStream();
        const Blas blas(&session, stream);
        const int transa = transposes & 1, transb = transposes >> 1;
        const int lda = (transa != 0 ? k : m) + gap, ldb = (transb != 0 ? n : k) + gap, ldc = m + gap;
        const std::vector<float> a = Values(static_cast<size_t>(lda) * (transa != 0 ? m : k), 1);
        const std::vector<float> b = Values(static_cast<size_t>(ldb) * (transb != 0 ? k : n), 2);
        std::vector<float> c = Values(static_cast<size_t>(ldc) * n, 3);
        if (beta == 0) c[0] = std::nanf("");  // must not be read
        const auto device_c = Put(&session, c, stream);
        CHECK(blas.Multiply(transa, transb, m, n, k, Put(&session, a, stream), lda, Put(&session, b, stream), ldb, beta,
                            device_c, ldc) == 0);
        for (int j = 0; j < n; ++j) {
          for (int i = 0; i < m; ++i) {
            float sum = 0;
            for (int p = 0; p < k; ++p) {
              sum += a[static_cast<size_t>(transa != 0 ? p + i * lda : i + p * lda)] *
                     b[static_cast<size_t>(transb != 0 ? j + p * ldb : p + j * ldb)];
            }
            float& place = c[static_cast<size_t>(i + j * ldc)];
            place = 2 * sum + (beta != 0 ? beta * place : 0);
          }
        }
        std::vector<float> found(c.size());
        std::memcpy(found.data(), Read(&session, device_c, c.size() * sizeof(float), stream).data(),
                    c.size() * sizeof(float));
        CHECK(found == c);
      }
    }
  }
  CHECK(geeps_fake_cublas_living() == 0);
}

TEST_CASE("Fake cuBLAS: two products that use one workspace in two streams race") {
  Session session("schedule=eager");
  const auto stream = session.NewStream(), other = session.NewStream();
  const Blas blas(&session, stream);
  Blas second(&session, other);
  const auto workspace = session.NewMemory(kWorkspaceBytes);
  const auto a = Put(&session, Values(4, 1), stream), c = Put(&session, Values(4, 1), stream);
  const auto other_a = Put(&session, Values(4, 1), other), other_c = Put(&session, Values(4, 1), other);
  CHECK(FakeBlasSetWorkspace(blas.handle, Blas::Pointer(workspace), kWorkspaceBytes) == 0);
  CHECK(FakeBlasSetWorkspace(second.handle, Blas::Pointer(workspace), kWorkspaceBytes) == 0);
  CHECK(blas.Multiply(0, 0, 2, 2, 2, a, 2, a, 2, 0, c, 2) == 0);
  CHECK(second.Multiply(0, 0, 2, 2, 2, other_a, 2, other_a, 2, 0, other_c, 2) == 0);
  CHECK(api::FakeStreamSynchronize(stream) == 0);
  CHECK(api::FakeStreamSynchronize(other) == 0);
  CHECK(FoundOnly("fake_cublas_sgemm"));
}

TEST_CASE("Fake cuBLAS: wrong use is a finding, each by its sentence") {
  Session session("schedule=eager");
  const auto stream = session.NewStream();
  const auto a = Put(&session, Values(16, 1), stream), c = Put(&session, Values(16, 1), stream);
  BlasHandle gone = nullptr;
  {
    Blas blas(&session, stream);
    CHECK(blas.Multiply(0, 0, 4, 4, 4, a, 3, a, 4, 0, c, 4) == 7);
    CHECK(FoundOnly("lda is 3, and a column has 4 values"));
    CHECK(blas.Multiply(0, 1, 4, 4, 2, a, 4, a, 3, 0, c, 4) == 7);
    CHECK(FoundOnly("ldb is 3, and a column has 4 values"));
    CHECK(blas.Multiply(0, 0, 4, 4, 4, a, 4, 0, 4, 0, c, 4) == 7);
    CHECK(FoundOnly("b is NULL"));
    CHECK(blas.Multiply(0, 0, 4, -1, 4, a, 4, a, 4, 0, c, 4) == 7);
    CHECK(FoundOnly("n -1"));
    CHECK(FakeBlasSetWorkspace(blas.handle, Blas::Pointer(a + 4), 8) == 7);
    CHECK(FoundOnly("is not aligned to 256 bytes"));
    CHECK(FakeBlasSetStream(blas.handle, stream) == 0);  // takes the workspace away
    CHECK(blas.Multiply(0, 0, 4, 4, 4, a, 4, a, 4, 0, c, 4) == 0);
    CHECK(FoundOnly("without a workspace of its own"));
    gone = blas.handle;
    CHECK(api::FakeStreamSynchronize(stream) == 0);
  }
  CHECK(FakeBlasDestroy(gone) == 1);
  CHECK(FoundOnly("is not there, or not any more"));
}

TEST_CASE("Fake cuBLAS: a product in the default stream, and one beyond its memory, are found") {
  Session session("schedule=eager");
  const auto stream = session.NewStream();
  const auto a = Put(&session, Values(16, 1), stream), c = session.NewMemory(64);
  CHECK(api::FakeStreamSynchronize(stream) == 0);
  {
    Blas blas(&session, nullptr);
    CHECK(blas.Multiply(0, 0, 4, 4, 4, a, 4, a, 4, 0, c, 4) == 0);
    CHECK(FoundOnly("in the legacy default stream"));
    CHECK(api::FakeStreamSynchronize(nullptr) == 0);
  }
}

}  // namespace
}  // namespace geeps::fake
