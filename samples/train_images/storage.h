// SPDX-License-Identifier: Apache-2.0
// Where parameters and activations live: in a parameter server, or, for comparison, in plain buffers of one process.
// Both offer the same names, so that the training loop is written once, as a template over one of them. One thread.
#ifndef SAMPLES_TRAIN_IMAGES_STORAGE_H_
#define SAMPLES_TRAIN_IMAGES_STORAGE_H_

#include <cstdint>
#include <string>
#include <vector>

#include <geeps.hpp>

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
  using Table = geeps::Table;
  using Local = geeps::Local;
  using Access = geeps::Access;
  using Walker = geeps::Walker;

  InTables(geeps::Runtime& rt, geeps::Error& err) : rt_(rt), err_(err) {}

  Table MakeLayerTable(const std::string& name, uint64_t rows, uint64_t row_values, const LayerRule& rule);
  Table MakeSumTable(const std::string& name, uint64_t values);  // one row of f64, rule add
  Local MakeLocal(const std::string& name, uint64_t rows, uint64_t row_bytes);
  Walker MakeWalker(const char* name) { return Walker(rt_, name, err_); }
  void Commit(std::initializer_list<const Walker*> walkers);
  void Fence() { rt_.Fence(err_); }

 private:
  geeps::Runtime& rt_;
  geeps::Error& err_;
};

// The same on plain buffers: reads and updates are pointers, the rule runs at the end of a pass.
class InBuffers {
 public:
  class Walker;
  class Table {
   public:
    Table(uint32_t dtype, uint64_t values, const LayerRule& rule);
    void SetParam(const char*, double lr, geeps::Error&) { rule_.lr = lr; }
    void ApplyRule();

   private:
    friend class Walker;
    uint32_t dtype_;
    LayerRule rule_;
    std::vector<float> values_, momentum_, update_;  // GEEPS_F32: SGD
    std::vector<double> sums_, add_;                 // GEEPS_F64: add
  };
  class Local {
   public:
    explicit Local(uint64_t bytes) : bytes_(bytes) {}

   private:
    friend class Walker;
    std::vector<char> bytes_;
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
    bool live() const { return live_; }
    uint64_t wait_ns() const { return 0; }
    template <typename Body>
    void Record(Body&& body, uint32_t = 0) {
      body(*this);
    }
    template <typename Body>
    void Walk(Body&& body) {
      live_ = true;
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
    bool live_ = false;
    std::vector<Table*> updated_;
  };

  Table MakeLayerTable(const std::string& name, uint64_t rows, uint64_t row_values, const LayerRule& rule);
  Table MakeSumTable(const std::string& name, uint64_t values);
  Local MakeLocal(const std::string&, uint64_t rows, uint64_t row_bytes) { return Local(rows * row_bytes); }
  Walker MakeWalker(const char*) { return Walker(); }
  void Commit(std::initializer_list<const Walker*>) {}
  void Fence() {}
};

// A well-mixed 64-bit function of x: initial values, and the checksum of the samples visited.
uint64_t Mix(uint64_t x);

}  // namespace train_images

#endif  // SAMPLES_TRAIN_IMAGES_STORAGE_H_
