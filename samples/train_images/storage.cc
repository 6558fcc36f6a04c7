// SPDX-License-Identifier: Apache-2.0
#include "samples/train_images/storage.h"

#include <algorithm>
#include <cstdio>

namespace train_images {
namespace {

std::string Real(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.17g", value);
  return text;
}

}  // namespace

InTables::Table InTables::MakeLayerTable(const std::string& name, uint64_t rows, uint64_t row_values,
                                         const LayerRule& rule) {
  geeps::Options options{{"rule", rule.name},
                         {"param.lr", Real(rule.lr)},
                         {"rows", "same"},
                         {"init", "uniform:" + Real(-rule.bound) + ":" + Real(rule.bound)},
                         {"seed", std::to_string(rule.seed)}};
  if (rule.name == "sgd") options.Set("param.momentum", Real(rule.momentum));
  return Table(rt_, name.c_str(), rows, row_values, GEEPS_F32, options, err_);
}

InTables::Table InTables::MakeSumTable(const std::string& name, uint64_t values) {
  return Table(rt_, name.c_str(), 1, values, GEEPS_F64, {{"rule", "add"}, {"init", "zero"}}, err_);
}

InTables::Local InTables::MakeLocal(const std::string& name, uint64_t rows, uint64_t row_bytes) {
  return Local(rt_, name.c_str(), rows, row_bytes, err_);
}

InTables::Walker InTables::MakeWalker(const char* name) {
  Walker walker(rt_, name, err_);
  if (compute_.stream() != nullptr) walker.set_stream(*compute_.stream());
  return walker;
}

void InTables::Commit(std::initializer_list<const Walker*> walkers) {
  std::vector<geeps_plan*> plans;
  for (const Walker* walker : walkers) plans.push_back(walker->plan());
  rt_.Commit(plans, err_);
}

InBuffers::Table::Table(Compute& compute, uint32_t dtype, uint64_t values, const LayerRule& rule)
    : compute_(&compute),
      dtype_(dtype),
      num_values_(values),
      rule_(rule),
      values_(nullptr, {&compute}),
      momentum_(nullptr, {&compute}),
      update_(nullptr, {&compute}) {
  const uint64_t bytes = values * (dtype == GEEPS_F32 ? sizeof(float) : sizeof(double));
  values_ = MakeComputeMemory(compute, bytes);
  update_ = MakeComputeMemory(compute, bytes);
  if (dtype == GEEPS_F64) return;
  momentum_ = MakeComputeMemory(compute, bytes);
  std::vector<float> first(values);
  for (uint64_t i = 0; i < values; ++i) {
    const double unit = static_cast<double>(Mix(rule.seed ^ Mix(i)) >> 11) * 0x1p-53;
    first[i] = static_cast<float>((2 * unit - 1) * rule.bound);
  }
  compute.Upload(values_.get(), first.data(), bytes);
}

void InBuffers::Table::ApplyRule() {
  if (dtype_ == GEEPS_F64) {
    compute_->StepAdd(static_cast<double*>(values_.get()), static_cast<const double*>(update_.get()), num_values_);
  } else {
    compute_->StepSgd(static_cast<float*>(values_.get()), static_cast<float*>(momentum_.get()),
                      static_cast<const float*>(update_.get()), num_values_, static_cast<float>(rule_.lr),
                      static_cast<float>(rule_.momentum));
  }
}

InBuffers::Access InBuffers::Walker::Read(Table& t, const geeps::Rows&, uint32_t, uint32_t) {
  return Access(t.values_.get());
}

InBuffers::Access InBuffers::Walker::PreUpdate(Table& t, const geeps::Rows&, uint32_t) {
  if (live_) updated_.push_back(&t);
  return Access(t.update_.get());
}

InBuffers::Access InBuffers::Walker::AccessLocal(Local& l, const geeps::Rows&, uint32_t) {
  return Access(l.memory_.get());
}

InBuffers::Table InBuffers::MakeLayerTable(const std::string& name, uint64_t rows, uint64_t row_values,
                                           const LayerRule& rule) {
  LayerRule own = rule;
  for (char c : name) own.seed = Mix(own.seed + static_cast<unsigned char>(c));
  return Table(compute_, GEEPS_F32, rows * row_values, own);
}

InBuffers::Table InBuffers::MakeSumTable(const std::string&, uint64_t values) {
  return Table(compute_, GEEPS_F64, values, LayerRule());
}

InBuffers::Local InBuffers::MakeLocal(const std::string&, uint64_t rows, uint64_t row_bytes) {
  return Local(MakeComputeMemory(compute_, rows * row_bytes));
}

// The finalizer of SplitMix64.
uint64_t Mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

}  // namespace train_images
