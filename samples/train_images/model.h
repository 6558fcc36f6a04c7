// SPDX-License-Identifier: Apache-2.0
// The net in a storage, and its passes: the loop over the layers, written once for recording and walking, for tables
// and plain buffers. One thread.
#ifndef SAMPLES_TRAIN_IMAGES_MODEL_H_
#define SAMPLES_TRAIN_IMAGES_MODEL_H_

#include <cstdint>
#include <geeps.hpp>
#include <optional>
#include <string>
#include <vector>

#include "samples/train_images/batches.h"
#include "samples/train_images/compute.h"
#include "samples/train_images/net.h"
#include "samples/train_images/storage.h"

namespace train_images {

template <typename Storage>
class Model {
 public:
  using Table = typename Storage::Table;
  using Local = typename Storage::Local;
  using Access = typename Storage::Access;
  using Walker = typename Storage::Walker;

  // max_images: of a batch of this worker. rule: but for the bound, which is each layer's own.
  Model(Storage& storage, Compute& compute, std::vector<Layer> layers, uint32_t max_images, LayerRule rule)
      : compute_(compute),
        layers_(std::move(layers)),
        all_(geeps::Rows::All()),
        input_(storage.MakeLocal("input", max_images, layers_[0].in_values() * sizeof(float))) {
    compute.Prepare(layers_, max_images);
    for (const Layer& l : layers_) {
      rule.bound = l.init_bound();
      weights_.push_back(storage.MakeLayerTable(l.name, l.num_rows(), l.row_values(), rule));
      outputs_.push_back(storage.MakeLocal(l.name + ".out", max_images, l.out_values() * sizeof(float)));
      gradients_.push_back(storage.MakeLocal(l.name + ".grad", max_images, l.out_values() * sizeof(float)));
      choices_.emplace_back();
      if (l.choice_bytes() > 0)
        choices_.back().emplace(storage.MakeLocal(l.name + ".choice", max_images, l.choice_bytes()));
    }
  }

  const std::vector<Layer>& layers() const { return layers_; }

  // From the next clock on. REQUIRES: the same value on every worker, between passes.
  void SetLearningRate(double lr, geeps::Error& err) {
    for (Table& table : weights_) table.SetParam("lr", lr, err);
  }

  // One step of training on a batch; its loss goes to compute.
  void Train(Walker& w, const Batch& batch, uint32_t slack) {
    const size_t last = layers_.size() - 1;
    Access logits = ForwardPass(w, batch, slack, GEEPS_LOCAL_KEEP);
    Access d_out = w.AccessLocal(gradients_[last], all_);
    if (w.live()) {
      const float scale = 1.0f / static_cast<float>(batch.global_images);
      compute_.SoftmaxLoss(logits.template data<float>(), layers_[last].outputs, scale, d_out.template data<float>());
    }
    w.PostLocal(logits);

    // From the last layer to the first. What a layer put out is what the one behind it took in: held open over both.
    Access out;
    for (size_t l = layers_.size(); l-- > 0;) {
      Access in = w.AccessLocal(l == 0 ? input_ : outputs_[l - 1], all_, GEEPS_LOCAL_FETCH);
      Access choice, weights, d_in;
      if (HasChoice(l)) choice = w.AccessLocal(*choices_[l], all_, GEEPS_LOCAL_FETCH);
      if (l > 0) weights = w.Read(weights_[l], all_, slack);  // nobody wants the gradient of the images
      if (l > 0) d_in = w.AccessLocal(gradients_[l - 1], all_);
      Access d_weights = w.PreUpdate(weights_[l], all_);
      if (w.live()) {
        compute_.Backward(layers_[l], weights.template data<float>(), in.template data<float>(),
                          out.template data<float>(), choice.template data<uint8_t>(), d_out.template data<float>(),
                          batch.num_images, d_weights.template data<float>(), d_in.template data<float>());
      }
      if (l > 0) w.PostRead(weights);
      w.Update(d_weights);  // on its way while the layers before are still at work
      if (HasChoice(l)) w.PostLocal(choice);
      if (l < last) w.PostLocal(out);
      w.PostLocal(d_out);
      out = in;
      d_out = d_in;
    }
    w.PostLocal(out);
  }

  // Loss and right answers on a batch, which go to compute.
  void Evaluate(Walker& w, const Batch& batch) {
    Access logits = ForwardPass(w, batch, 0, 0);
    if (w.live()) compute_.SoftmaxLoss(logits.template data<float>(), layers_.back().outputs, 0, nullptr);
    w.PostLocal(logits);
  }

  // Shows the parameters, layer by layer: fn(layer, values), in host memory.
  template <typename Fn>
  void ReadAll(Walker& w, Fn&& fn) {
    for (size_t l = 0; l < layers_.size(); ++l) {
      Access weights = w.Read(weights_[l], all_, 0);
      if (w.live()) {
        std::vector<float> values(uint64_t{layers_[l].num_rows()} * layers_[l].row_values());
        compute_.Download(values.data(), weights.template data<const float>(), values.size() * sizeof(float));
        fn(layers_[l], values.data());
      }
      w.PostRead(weights);
    }
  }

 private:
  bool HasChoice(size_t l) const { return choices_[l].has_value(); }

  // Returns the last layer's outputs, still open. local_flags: KEEP when backward follows.
  Access ForwardPass(Walker& w, const Batch& batch, uint32_t slack, uint32_t local_flags) {
    Access in = w.AccessLocal(input_, all_, local_flags);
    if (w.live()) compute_.Begin(batch, layers_[0].in_values(), in.template data<float>());
    for (size_t l = 0; l < layers_.size(); ++l) {
      Access weights = w.Read(weights_[l], all_, slack);
      Access out = w.AccessLocal(outputs_[l], all_, l + 1 < layers_.size() ? local_flags : 0);
      Access choice;
      if (HasChoice(l)) choice = w.AccessLocal(*choices_[l], all_, local_flags);
      if (w.live()) {
        compute_.Forward(layers_[l], weights.template data<float>(), in.template data<float>(), batch.num_images,
                         out.template data<float>(), choice.template data<uint8_t>());
      }
      w.PostRead(weights);
      if (HasChoice(l)) w.PostLocal(choice);
      w.PostLocal(in);
      in = out;
    }
    return in;
  }

  Compute& compute_;
  const std::vector<Layer> layers_;
  const geeps::Rows all_;
  std::vector<Table> weights_;
  Local input_;
  std::vector<Local> outputs_, gradients_;
  std::vector<std::optional<Local>> choices_;  // of layers that pool
};

}  // namespace train_images

#endif  // SAMPLES_TRAIN_IMAGES_MODEL_H_
