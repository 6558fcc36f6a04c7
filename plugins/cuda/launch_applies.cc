// SPDX-License-Identifier: Apache-2.0
// PlanApplies: the table and the launches of the applies of one call. The parts are walked over twice, first to count
// and then to write them, so that no list is made in between.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "plugins/cuda/check_apply.h"
#include "plugins/cuda/kernels/lamb.h"
#include "plugins/cuda/launch.h"
#include "plugins/cuda/launch_math.h"
#include "plugins/cuda/status.h"

namespace geeps::cuda {
namespace {

uint64_t AlignUp(uint64_t bytes, uint64_t alignment) { return DivideUp(bytes, alignment) * alignment; }
uint64_t AddressOf(const void* memory) { return reinterpret_cast<uintptr_t>(memory); }

// Those that some segment may use.
uint64_t NumInputs(const geeps_apply& apply) {
  return apply.num_rows > 0 && apply.num_segments > 0 ? apply.num_inputs : 0;
}

Numbers NumbersOf(const geeps_apply& apply) {
  if (apply.dtype == GEEPS_F64) return Numbers::kF64;
  if (apply.input_dtype == GEEPS_F16) return Numbers::kF16;
  return apply.input_dtype == GEEPS_BF16 ? Numbers::kBf16 : Numbers::kF32;
}

// rules.h says which places they have.
std::array<double, 8> FactorsOf(Rule rule, const double* params) {
  switch (rule) {
    case Rule::kSgd:
      return {params[0], params[1]};
    case Rule::kAdagrad:
      return {0.0, params[1], params[3]};
    case Rule::kRmsProp:
      return {params[1], 1.0 - params[1], params[2], params[3], params[0], params[4]};
    case Rule::kAdam:
    case Rule::kLamb:
      return {params[1], 1.0 - params[1], params[2], 1.0 - params[2], 0.0, 0.0, params[3], params[4]};
    case Rule::kAdamW:
      return {params[1], 1.0 - params[1], params[2], 1.0 - params[2], 0.0, 0.0, params[3], 1.0 - params[0] * params[4]};
    default:
      return {};
  }
}

ApplyEntry EntryOf(const geeps_apply& apply) {
  ApplyEntry entry = {};
  entry.values_in = AddressOf(apply.values_in);
  entry.values_out = AddressOf(apply.values_out);
  for (int i = 0; i < 2; ++i) entry.states[i] = AddressOf(apply.states[i]);
  entry.steps = AddressOf(apply.steps);
  entry.rounded_out = AddressOf(apply.rounded_out);
  entry.row_values = apply.row_values;
  entry.numbers = NumbersOf(apply);
  entry.rule = static_cast<Rule>(apply.rule);
  entry.is_mean = apply.reduce == GEEPS_REDUCE_MEAN;
  entry.counts_steps = CountsSteps(entry.rule);
  std::copy_n(apply.params, 8, entry.params);
  const std::array<double, 8> factors = FactorsOf(entry.rule, apply.params);
  for (int i = 0; i < 8; ++i) {
    entry.factors[i] = apply.dtype == GEEPS_F64 ? factors[i] : static_cast<double>(static_cast<float>(factors[i]));
  }
  entry.tiles_per_row = DivideUp(apply.row_values, kTileValues);
  entry.pieces_per_row = DivideUp(apply.row_values, kPieceValues);
  if (entry.counts_steps == 0) {
    entry.cut = Cut::kFlat;
  } else if (apply.row_values > kTileValues) {
    entry.cut = Cut::kLong;
  } else {
    entry.cut = Cut::kRows;
    entry.rows_per_tile = static_cast<uint32_t>(std::min<uint64_t>(kTileValues / apply.row_values, kTileRowsMost));
    entry.row_divider = DividerOf(static_cast<uint32_t>(apply.row_values));
  }
  return entry;
}

// Packs of values never lie across two rows of which each has its own factors, and each one is aligned in every array.
bool IsVector(const geeps_apply& apply, const ApplyEntry& entry, const geeps_apply_segment& segment) {
  const uint64_t value_bytes = ValueBytes(apply.dtype), input_bytes = ValueBytes(apply.input_dtype);
  const uint64_t width = 16 / value_bytes;
  if (entry.cut != Cut::kFlat && apply.row_values % width != 0) return false;
  const uint64_t first = segment.first_row * apply.row_values;
  uint64_t values = (entry.values_in + first * value_bytes) | (entry.values_out + first * value_bytes);
  for (uint32_t i = 0; i < NumStatesOf(entry.rule); ++i) values |= entry.states[i] + first * value_bytes;
  uint64_t inputs = apply.input_dtype == apply.dtype ? 0 : entry.rounded_out + first * input_bytes;
  for (uint64_t i = 0; i < segment.num_inputs; ++i) inputs |= AddressOf(apply.inputs[segment.first_input + i].values);
  return values % 16 == 0 && inputs % (width * input_bytes) == 0;
}

uint64_t TilesOf(const ApplyEntry& entry, uint64_t num_rows) {
  switch (entry.cut) {
    case Cut::kFlat:
      return DivideUp(num_rows * entry.row_values, kTileValues);
    case Cut::kRows:
      return DivideUp(num_rows, entry.rows_per_tile);
    case Cut::kLong:
      return num_rows * entry.tiles_per_row;
  }
  return 0;
}

// Counts the parts of the sections, or writes them where they were counted.
class PartList {
 public:
  void Count() { is_counting_ = true; }
  // The parts counted so far become room in the table, `parts` from its beginning.
  void Write(ApplyHeader* header, std::vector<uint8_t>* table) {
    for (int i = 0; i < kNumSections; ++i) header->first_part[i + 1] = header->first_part[i] + num_parts_[i];
    std::fill(num_parts_, num_parts_ + kNumSections, 0);
    is_counting_ = false;
    header_ = header;
    table_ = table;
  }
  uint64_t total() const {
    uint64_t sum = 0;
    for (const uint64_t num : num_parts_) sum += num;
    return sum;
  }

  void Add(Section section, ApplyPart part, uint64_t num_tiles) {
    const uint64_t i = num_parts_[section]++;
    if (is_counting_) return;
    part.first_tile = header_->num_tiles[section];
    header_->num_tiles[section] += num_tiles;
    std::memcpy(table_->data() + header_->parts + (header_->first_part[section] + i) * sizeof part, &part, sizeof part);
  }

 private:
  bool is_counting_ = true;
  uint64_t num_parts_[kNumSections] = {};
  ApplyHeader* header_ = nullptr;
  std::vector<uint8_t>* table_ = nullptr;
};

// Where the next part of lamb's scratch begins, and the parts.
struct Walk {
  PartList parts;
  uint64_t scratch_bytes = 0;
};

void AddCarried(const void* in, void* out, uint64_t row_bytes, uint64_t first, uint64_t end, PartList* parts) {
  if (in == out || first == end) return;
  ApplyPart part = {};
  part.first_row = AddressOf(out) + first * row_bytes;
  part.scratch = AddressOf(in) + first * row_bytes;
  part.num_rows = (end - first) * row_bytes;
  part.flags = kPartIsCarried;
  parts->Add(kApplySection, part, DivideUp(part.num_rows, kCarryTileBytes));
}

void CarryOver(const geeps_apply& apply, uint64_t first, uint64_t end, PartList* parts) {
  AddCarried(apply.values_in, apply.values_out, apply.row_values * ValueBytes(apply.dtype), first, end, parts);
  if (apply.input_dtype == apply.dtype) return;
  AddCarried(apply.rounded_in, apply.rounded_out, apply.row_values * ValueBytes(apply.input_dtype), first, end, parts);
}

void AddSegment(const ApplyEntry& entry, ApplyPart part, Walk* walk) {
  const uint64_t row_blocks = DivideUp(part.num_rows, kApplyThreads);
  if (entry.rule != Rule::kLamb) {
    walk->parts.Add(kApplySection, part, TilesOf(entry, part.num_rows));
    if (entry.cut == Cut::kLong) walk->parts.Add(kCountSection, part, row_blocks);
    return;
  }
  part.scratch = walk->scratch_bytes;
  walk->scratch_bytes += AlignUp(part.num_rows * sizeof(LambRow), sizeof(LambPiece));
  walk->scratch_bytes += part.num_rows * entry.pieces_per_row * sizeof(LambPiece);
  walk->parts.Add(kPiecesSection, part, DivideUp(part.num_rows * entry.pieces_per_row, kTilePieces));
  walk->parts.Add(kRowsSection, part, row_blocks);
  walk->parts.Add(kFinishSection, part, TilesOf(entry, part.num_rows));
}

// All parts of one apply. first_input: where its inputs begin among those of all.
void AddParts(const geeps_apply& apply, const ApplyEntry& entry, uint32_t number, uint64_t first_input, Walk* walk) {
  uint64_t row = 0;
  for (uint64_t i = 0; i < apply.num_segments; ++i) {
    const geeps_apply_segment& segment = apply.segments[i];
    CarryOver(apply, row, segment.first_row, &walk->parts);
    ApplyPart part = {};
    part.first_row = segment.first_row;
    part.num_rows = segment.num_rows;
    part.apply = number;
    part.first_input = static_cast<uint32_t>(first_input + segment.first_input);
    part.num_inputs = static_cast<uint32_t>(segment.num_inputs);
    part.flags = IsVector(apply, entry, segment) ? kPartIsVector : 0;
    AddSegment(entry, part, walk);
    row = segment.first_row + segment.num_rows;
  }
  CarryOver(apply, row, apply.num_rows, &walk->parts);
}

void AddAllParts(const std::vector<geeps_apply>& applies, const uint8_t* entries, Walk* walk) {
  walk->scratch_bytes = 0;
  uint64_t first_input = 0;
  for (size_t i = 0; i < applies.size(); ++i) {
    ApplyEntry entry;
    std::memcpy(&entry, entries + i * sizeof entry, sizeof entry);
    if (applies[i].num_rows > 0) AddParts(applies[i], entry, static_cast<uint32_t>(i), first_input, walk);
    first_input += NumInputs(applies[i]);
  }
}

void WriteInputs(const std::vector<geeps_apply>& applies, uint8_t* to) {
  for (const geeps_apply& apply : applies) {
    for (uint64_t i = 0; i < NumInputs(apply); ++i) {
      const ApplyInput input = {AddressOf(apply.inputs[i].values), apply.inputs[i].group, 0};
      std::memcpy(to, &input, sizeof input);
      to += sizeof input;
    }
  }
}

void AddLaunch(const char* kernel, Section section, uint32_t shared_bytes, const ApplyHeader& header, LaunchSet* out) {
  if (header.num_tiles[section] == 0) return;
  out->launches.push_back({kernel, BlocksFor(header.num_tiles[section]), kApplyThreads, shared_bytes});
}

}  // namespace

std::string PlanApplies(const std::vector<geeps_apply>& applies, LaunchSet* out, geeps_status* code) {
  uint64_t num_inputs = 0;
  for (const geeps_apply& apply : applies) {
    if (std::string error = CheckApply(apply, code); !error.empty()) return error;
    num_inputs += NumInputs(apply);
  }
  if (num_inputs > UINT32_MAX) {
    *code = GEEPS_E_UNSUPPORTED;
    return Text("apply: ", num_inputs, " inputs in one call");
  }
  out->Clear();
  ApplyHeader header = {};
  header.applies = sizeof header;
  header.inputs = AlignUp(header.applies + applies.size() * sizeof(ApplyEntry), 16);
  header.parts = header.inputs + num_inputs * sizeof(ApplyInput);
  out->table.resize(header.parts);
  for (size_t i = 0; i < applies.size(); ++i) {
    const ApplyEntry entry = EntryOf(applies[i]);
    std::memcpy(out->table.data() + header.applies + i * sizeof entry, &entry, sizeof entry);
  }
  WriteInputs(applies, out->table.data() + header.inputs);
  Walk walk;
  AddAllParts(applies, out->table.data() + header.applies, &walk);
  out->table.resize(header.parts + walk.parts.total() * sizeof(ApplyPart));
  walk.parts.Write(&header, &out->table);
  AddAllParts(applies, out->table.data() + header.applies, &walk);
  std::memcpy(out->table.data(), &header, sizeof header);
  out->scratch_bytes = walk.scratch_bytes;
  AddLaunch(ApplyRowsKernel::kName, kApplySection, kRowFactorBytes, header, out);
  AddLaunch(LambPiecesKernel::kName, kPiecesSection, LambPiecesKernel::kSharedBytes, header, out);
  AddLaunch(LambRowsKernel::kName, kRowsSection, 0, header, out);
  AddLaunch(LambFinishKernel::kName, kFinishSection, kRowFactorBytes, header, out);
  AddLaunch(CountStepsKernel::kName, kCountSection, 0, header, out);
  if (out->launches.empty()) out->Clear();
  return "";
}

}  // namespace geeps::cuda
