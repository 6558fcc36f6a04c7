// SPDX-License-Identifier: Apache-2.0
// Where parameters and activations live: in a parameter server, or, for comparison, in plain buffers of one process;
// both on the host or on a GPU.
// Both offer the same names, so that the training loop is written once, as a template over one of them. One thread.
#ifndef SAMPLES_TRAIN_IMAGES_STORAGE_H_
#define SAMPLES_TRAIN_IMAGES_STORAGE_H_

#include <cstdint>
#include <geeps.hpp>
#include <string>
#include <vector>

#include "samples/train_images/compute.h"

namespace train_images {

// The rule of a layer's table; its initial values are uniform in -bound .. bound.
struct LayerRule {
  std::string name;  // plain buffers have sgd alone
  double lr;
  double momentum;  // of sgd
  double bound;
  uint64_t seed;
};

// Tables and local data of geeps.
class InTables {
 public:
  static constexpr const char* kName = "tables";
  using Table = geeps::Table;
  using Local = geeps::Local;
  using Access = geeps::Access;
  using Walker = geeps::Walker;

  // Memory is used in the order of compute's stream.
  InTables(geeps::Runtime& rt, const Compute& compute, geeps::Error& err) : rt_(rt), compute_(compute), err_(err) {}

  Table MakeLayerTable(const std::string& name, uint64_t rows, uint64_t row_values, const LayerRule& rule);
  Table MakeSumTable(const std::string& name, uint64_t values);  // one row of f64, rule add
  Local MakeLocal(const std::string& name, uint64_t rows, uint64_t row_bytes);
  Walker MakeWalker(const char* name);
  void Commit(std::initializer_list<const Walker*> walkers);
  void Fence() { rt_.Fence(err_); }

 private:
  geeps::Runtime& rt_;
  const Compute& compute_;
  geeps::Error& err_;
};

// The same on plain buffers of compute: reads and updates are pointers, the rule runs at the end of a pass.
class InBuffers {
 public:
  static constexpr const char* kName = "plain buffers";
  class Walker;
  class Table {
   public:
    Table(Compute& compute, uint32_t dtype, uint64_t values, const LayerRule& rule);
    void SetParam(const char*, double lr, geeps::Error&) { rule_.lr = lr; }
    void ApplyRule();

   private:
    friend class Walker;
    Compute* compute_;
    uint32_t dtype_;  // GEEPS_F32: rule sgd; GEEPS_F64: rule add
    uint64_t num_values_;
    LayerRule rule_;
    ComputeMemory values_, momentum_, update_;
  };
  class Local {
   public:
    explicit Local(ComputeMemory memory) : memory_(std::move(memory)) {}

   private:
    friend class Walker;
    ComputeMemory memory_;
  };
  class Access {
   public:
    explicit Access(void* data = nullptr) : data_(data) {}
    template <typename T>
    T* data() const {
      return static_cast<T*>(data_);
    }

   private:
    void* data_;
  };
  class Walker {
   public:
    explicit Walker(const geeps::Error& err) : err_(err) {}
    bool live() const { return live_; }
    uint64_t wait_ns() const { return 0; }
    template <typename Body>
    void Record(Body&& body, uint32_t = 0) {
      body(*this);
    }
    template <typename Body>
    void Walk(Body&& body) {
      live_ = err_.ok();
      body(*this);
      live_ = false;
      for (Table* table : updated_) table->ApplyRule();
      updated_.clear();
    }
    Access Read(Table& t, const geeps::Rows&, uint32_t, uint32_t = 0);
    Access PreUpdate(Table& t, const geeps::Rows&, uint32_t = 0);
    Access AccessLocal(Local& l, const geeps::Rows&, uint32_t = 0);
    void PostRead(const Access&) {}
    void Update(const Access&) {}
    void PostLocal(const Access&) {}

   private:
    const geeps::Error& err_;
    bool live_ = false;
    std::vector<Table*> updated_;
  };

  InBuffers(Compute& compute, const geeps::Error& err) : compute_(compute), err_(err) {}

  Table MakeLayerTable(const std::string& name, uint64_t rows, uint64_t row_values, const LayerRule& rule);
  Table MakeSumTable(const std::string& name, uint64_t values);
  Local MakeLocal(const std::string& name, uint64_t rows, uint64_t row_bytes);
  Walker MakeWalker(const char*) { return Walker(err_); }
  void Commit(std::initializer_list<const Walker*>) {}
  void Fence() {}

 private:
  Compute& compute_;
  const geeps::Error& err_;
};

// A well-mixed 64-bit function of x: initial values, and the checksum of the samples visited.
uint64_t Mix(uint64_t x);

}  // namespace train_images

#endif  // SAMPLES_TRAIN_IMAGES_STORAGE_H_
