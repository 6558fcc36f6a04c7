// SPDX-License-Identifier: Apache-2.0
// Findings: the sentences about what was done wrongly, and counters by name.
// Thread contract: one thread at a time; the driver's mutex.
#ifndef GEEPS_TESTS_CUDA_FAKE_FINDINGS_H_
#define GEEPS_TESTS_CUDA_FAKE_FINDINGS_H_

#include <cstdint>
#include <cstdio>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace geeps::fake {

template <typename... Parts>
std::string Text(const Parts&... parts) {
  std::ostringstream text;
  (text << ... << parts);
  return text.str();
}

class Findings {
 public:
  void set_is_quiet(bool is_quiet) { is_quiet_ = is_quiet; }
  void Add(const std::string& sentence) {
    if (++num_ > kMostKept) return;
    kept_.push_back(sentence);
    if (!is_quiet_) std::fprintf(stderr, "fake CUDA driver: %s\n", sentence.c_str());
  }
  void Clear() {
    num_ = 0;
    kept_.clear();
  }
  uint64_t num() const { return num_; }
  // nullptr: not kept.
  const std::string* Get(uint64_t index) const { return index < kept_.size() ? &kept_[index] : nullptr; }

 private:
  static constexpr uint64_t kMostKept = 100;  // the first ones say enough

  bool is_quiet_ = false;
  uint64_t num_ = 0;
  std::vector<std::string> kept_;
};

class Counters {
 public:
  // The number of this one, from 1.
  uint64_t Count(const char* name) { return ++counts_[name]; }
  uint64_t Get(const std::string& name) const {
    const auto it = counts_.find(name);
    return it == counts_.end() ? 0 : it->second;
  }
  void Clear() { counts_.clear(); }

 private:
  std::map<std::string, uint64_t, std::less<>> counts_;
};

}  // namespace geeps::fake

#endif  // GEEPS_TESTS_CUDA_FAKE_FINDINGS_H_
