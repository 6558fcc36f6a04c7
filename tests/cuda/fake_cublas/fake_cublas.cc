// SPDX-License-Identifier: Apache-2.0
#include "tests/cuda/fake_cublas/fake_cublas.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <string>

#include "tests/cuda/fake/api.h"
#include "tests/cuda/fake/fake.h"
#include "tests/cuda/fake/findings.h"
#include "tests/cuda/fake_cublas/gemm.h"

namespace geeps::fake::cublas {
namespace {

constexpr BlasStatus kSuccess = 0;
constexpr BlasStatus kNotInitialized = 1;
constexpr BlasStatus kInvalidValue = 7;
constexpr BlasStatus kExecutionFailed = 13;

constexpr char kKernel[] = "fake_cublas_sgemm";
constexpr int kTransposeMost = 2;  // CUBLAS_OP_C
constexpr uint64_t kWorkspaceAlignment = 256;

struct Handle {
  void* context = nullptr;
  cuda::Module module = nullptr;
  cuda::Function gemm = nullptr;
  Stream stream = nullptr;
  uint64_t workspace = 0, workspace_bytes = 0;
  bool has_fixed_math = false;  // no reduced precision, no atomics
  bool has_no_atomics = false;
};

std::mutex mutex;

// Handles are numbers that are not used twice.
std::map<uint64_t, Handle>& Handles() {
  static auto* const handles = new std::map<uint64_t, Handle>;
  return *handles;
}
uint64_t last_handle = 0x1000;

template <typename... Parts>
BlasStatus Finding(BlasStatus status, const Parts&... parts) {
  geeps_fake_add_finding(Text(parts...).c_str());
  return status;
}

// The handle, when it lives and its context is current. REQUIRES: the mutex.
Handle* Find(BlasHandle native, const char* function) {
  const uint64_t number = reinterpret_cast<uintptr_t>(native);
  const auto it = Handles().find(number);
  if (it == Handles().end()) {
    Finding(kNotInitialized, function, ": handle ", number, " is not there, or not any more");
    return nullptr;
  }
  if (geeps_fake_current_context(nullptr) != it->second.context) {
    Finding(kNotInitialized, function, ": the context of handle ", number, " is not current");
    return nullptr;
  }
  return &it->second;
}

void RunKernel(void* const* parameters, uint32_t /*num_blocks*/, uint32_t /*num_threads*/) {
  RunGemm(*static_cast<const Gemm*>(parameters[0]));
}

// "" or what is wrong with a matrix of `rows` rows.
std::string CheckMatrix(const char* name, const void* data, int ld, int rows) {
  if (data == nullptr) return Text(name, " is NULL");
  if (ld < std::max(1, rows)) return Text("ld", name, " is ", ld, ", and a column has ", rows, " values");
  return "";
}

}  // namespace

BlasStatus FakeBlasCreate(BlasHandle* out) {
  Handle handle;
  handle.context = geeps_fake_current_context(nullptr);
  if (handle.context == nullptr) return Finding(kNotInitialized, "cublasCreate_v2: no context is current");
  static const uint32_t parameter_bytes = sizeof(Gemm);
  static const geeps_fake_program_kernel kernel = {kKernel, &parameter_bytes, 1, &RunKernel};
  geeps_fake_add_program_kernel(&kernel);
  if (api::FakeModuleLoadData(&handle.module, kKernel) != cuda::kSuccess ||
      api::FakeModuleGetFunction(&handle.gemm, handle.module, kKernel) != cuda::kSuccess) {
    return kNotInitialized;
  }
  const std::lock_guard<std::mutex> lock(mutex);
  Handles()[++last_handle] = handle;
  *out = reinterpret_cast<BlasHandle>(static_cast<uintptr_t>(last_handle));
  return kSuccess;
}

BlasStatus FakeBlasDestroy(BlasHandle native) {
  const std::lock_guard<std::mutex> lock(mutex);
  const Handle* const handle = Find(native, "cublasDestroy_v2");
  if (handle == nullptr) return kNotInitialized;
  const bool is_unloaded = api::FakeModuleUnload(handle->module) == cuda::kSuccess;
  Handles().erase(reinterpret_cast<uintptr_t>(native));
  return is_unloaded ? kSuccess : kExecutionFailed;
}

// As the manual says, a new stream takes the workspace away.
BlasStatus FakeBlasSetStream(BlasHandle native, Stream stream) {
  const std::lock_guard<std::mutex> lock(mutex);
  Handle* const handle = Find(native, "cublasSetStream_v2");
  if (handle == nullptr) return kNotInitialized;
  handle->stream = stream;
  handle->workspace = handle->workspace_bytes = 0;
  return kSuccess;
}

BlasStatus FakeBlasSetWorkspace(BlasHandle native, void* workspace, size_t bytes) {
  const std::lock_guard<std::mutex> lock(mutex);
  Handle* const handle = Find(native, "cublasSetWorkspace_v2");
  if (handle == nullptr) return kNotInitialized;
  const uint64_t address = reinterpret_cast<uintptr_t>(workspace);
  if (address == 0 || address % kWorkspaceAlignment != 0) {
    return Finding(kInvalidValue, "cublasSetWorkspace_v2: the workspace at ", address, " is not aligned to ",
                   kWorkspaceAlignment, " bytes");
  }
  handle->workspace = address;
  handle->workspace_bytes = bytes;
  return kSuccess;
}

BlasStatus FakeBlasSetMathMode(BlasHandle native, int mode) {
  const std::lock_guard<std::mutex> lock(mutex);
  Handle* const handle = Find(native, "cublasSetMathMode");
  if (handle == nullptr) return kNotInitialized;
  handle->has_fixed_math = mode == train_images::cuda::kBlasPedanticMath;
  return kSuccess;
}

BlasStatus FakeBlasSetAtomicsMode(BlasHandle native, int mode) {
  const std::lock_guard<std::mutex> lock(mutex);
  Handle* const handle = Find(native, "cublasSetAtomicsMode");
  if (handle == nullptr) return kNotInitialized;
  handle->has_no_atomics = mode == train_images::cuda::kBlasAtomicsNotAllowed;
  return kSuccess;
}

BlasStatus FakeBlasSgemm(BlasHandle native, int transa, int transb, int m, int n, int k, const float* alpha,
                         const float* a, int lda, const float* b, int ldb, const float* beta, float* c, int ldc) {
  const std::lock_guard<std::mutex> lock(mutex);
  const Handle* const handle = Find(native, "cublasSgemm_v2");
  if (handle == nullptr) return kNotInitialized;
  if (transa < 0 || transa > kTransposeMost || transb < 0 || transb > kTransposeMost || m < 0 || n < 0 || k < 0 ||
      alpha == nullptr || beta == nullptr) {
    return Finding(kInvalidValue, "cublasSgemm_v2: op ", transa, " ", transb, ", m ", m, ", n ", n, ", k ", k);
  }
  for (const std::string& wrong : {CheckMatrix("a", a, lda, transa == 0 ? m : k),
                                   CheckMatrix("b", b, ldb, transb == 0 ? k : n), CheckMatrix("c", c, ldc, m)}) {
    if (!wrong.empty()) return Finding(kInvalidValue, "cublasSgemm_v2: ", wrong);
  }
  if (handle->stream == nullptr) Finding(kSuccess, "cublasSgemm_v2: in the legacy default stream");
  if (handle->workspace == 0 || !handle->has_fixed_math || !handle->has_no_atomics) {
    Finding(kSuccess,
            "cublasSgemm_v2: without a workspace of its own, pedantic math and a ban on atomics: bits may differ");
  }
  const auto address = [](const void* memory) { return static_cast<uint64_t>(reinterpret_cast<uintptr_t>(memory)); };
  Gemm gemm = {};
  gemm.transposes_a = transa != 0;
  gemm.transposes_b = transb != 0;
  gemm.m = static_cast<uint64_t>(m);
  gemm.n = static_cast<uint64_t>(n);
  gemm.k = static_cast<uint64_t>(k);
  gemm.alpha = *alpha;
  gemm.beta = *beta;
  gemm.a = address(a);
  gemm.lda = static_cast<uint64_t>(lda);
  gemm.b = address(b);
  gemm.ldb = static_cast<uint64_t>(ldb);
  gemm.c = address(c);
  gemm.ldc = static_cast<uint64_t>(ldc);
  gemm.workspace = handle->workspace;
  gemm.workspace_bytes = handle->workspace_bytes;
  void* parameters[] = {&gemm};
  const cuda::Result result =
      api::FakeLaunchKernel(handle->gemm, 1, 1, 1, 1, 1, 1, 0, handle->stream, parameters, nullptr);
  return result == cuda::kSuccess ? kSuccess : kExecutionFailed;
}

}  // namespace geeps::fake::cublas

uint64_t geeps_fake_cublas_living() {
  const std::lock_guard<std::mutex> lock(geeps::fake::cublas::mutex);
  return geeps::fake::cublas::Handles().size();
}
