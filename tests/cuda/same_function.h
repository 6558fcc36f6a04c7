// SPDX-License-Identifier: Apache-2.0
// SameFunction: whether two declarations of a C function are called in the same way, whatever names their types have.
// Thread contract: compile time.
#ifndef GEEPS_TESTS_CUDA_SAME_FUNCTION_H_
#define GEEPS_TESTS_CUDA_SAME_FUNCTION_H_

#include <type_traits>

namespace geeps::test {

// Passed in the same way: both addresses, or both numbers of one size.
template <typename A, typename B>
constexpr bool kSameParameter =
    std::is_pointer_v<A> == std::is_pointer_v<B> &&
    sizeof(A) == sizeof(B) && std::is_integral_v<A> == (std::is_integral_v<B> || std::is_enum_v<B>);

template <typename Ours, typename Theirs>
struct SameFunction : std::false_type {};
template <typename R, typename... A, typename S, typename... B>
struct SameFunction<R (*)(A...), S (*)(B...)> {
  static constexpr bool Compare() {
    if constexpr (sizeof...(A) != sizeof...(B)) {
      return false;
    } else {
      return sizeof(R) == sizeof(S) && (kSameParameter<A, B> && ...);
    }
  }
  static constexpr bool value = Compare();
};

}  // namespace geeps::test

#endif  // GEEPS_TESTS_CUDA_SAME_FUNCTION_H_
