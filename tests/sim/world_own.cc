// SPDX-License-Identifier: Apache-2.0
// World: read-my-writes: own updates are added to the cache, and added again on top of versions that do not contain
// them.
#include <algorithm>

#include "tests/sim/world.h"

namespace geeps::sim {

using protocol::OwnUpdate;
using protocol::SequencerEffect;

void World::AddRow(uint32_t from, uint32_t to, uint32_t lanes, Half half) {
  const uint32_t end = half == 0 ? lanes / 2 : lanes;
  for (uint32_t i = half == 0 ? 0 : lanes / 2; i < end; ++i) *state_.memory.at(to + i) += *state_.memory.at(from + i);
}

// In place: in the log.
uint32_t World::OwnSource(uint32_t w, const SequencerEffect& effect, const OwnRow& own) const {
  const plan::PlannedOp& planned = Planned(w, effect.set_id, effect.op);
  if (!planned.in_place) return ViewOffset(w, effect.set_id, effect.op, own.view_row);
  const uint32_t entry = state_.workers[w].contributors[planned.table].EntryOf(effect.clock);
  return spec_->workers[w].tables[planned.table].log[entry] + own.log_row * spec_->lanes(planned.table);
}

void World::MarkOwnRows(uint32_t w, const SequencerEffect& effect, bool begin) {
  const plan::PlannedOp& planned = Planned(w, effect.set_id, effect.op);
  const uint32_t lanes = spec_->lanes(planned.table);
  for (const OwnRow& own : spec_->workers[w].own_rows[effect.set_id][effect.op]) {
    const uint32_t row = spec_->workers[w].tables[planned.table].cache + own.cache_row * lanes;
    if (begin) {
      BeginRead(OwnSource(w, effect, own), lanes, "an own update");
      BeginWrite(row, lanes, "an own update");
    } else {
      state_.memory.EndRead(OwnSource(w, effect, own), lanes);
      state_.memory.EndWrite(row, lanes);
    }
  }
}

void World::AddOwnRows(uint32_t w, const SequencerEffect& effect, Half half) {
  const plan::PlannedOp& planned = Planned(w, effect.set_id, effect.op);
  const uint32_t lanes = spec_->lanes(planned.table);
  for (const OwnRow& own : spec_->workers[w].own_rows[effect.set_id][effect.op]) {
    AddRow(OwnSource(w, effect, own), spec_->workers[w].tables[planned.table].cache + own.cache_row * lanes, lanes,
           half);
  }
}

void World::MarkReadded(uint32_t w, uint32_t t, uint32_t s, bool begin) {
  const uint32_t lanes = spec_->lanes(t);
  for (const OwnUpdate& update : state_.workers[w].subscribers[t][s].own_updates()) {
    const uint32_t entry = spec_->workers[w].tables[t].log[state_.workers[w].contributors[t].EntryOf(update.clock)];
    for (const OwnRow& own : spec_->workers[w].own_rows[update.set_id][update.op]) {
      if (own.subscription != s || !own.first) continue;
      if (begin) {
        BeginRead(entry + own.log_row * lanes, lanes, "adding an own update again");
      } else {
        state_.memory.EndRead(entry + own.log_row * lanes, lanes);
      }
    }
  }
}

void World::ReaddHalf(uint32_t w, uint32_t t, uint32_t s, Half half) {
  const uint32_t lanes = spec_->lanes(t);
  for (const OwnUpdate& update : state_.workers[w].subscribers[t][s].own_updates()) {
    const uint32_t entry = spec_->workers[w].tables[t].log[state_.workers[w].contributors[t].EntryOf(update.clock)];
    for (const OwnRow& own : spec_->workers[w].own_rows[update.set_id][update.op]) {
      if (own.subscription != s || !own.first) continue;
      AddRow(entry + own.log_row * lanes, spec_->workers[w].tables[t].cache + own.cache_row * lanes, lanes, half);
    }
  }
}

// What the program of worker w has added to the rows in its pass before its next call.
std::vector<double> World::OwnBefore(uint32_t w, uint32_t t, const std::vector<uint64_t>& rows) const {
  const uint32_t lanes = spec_->lanes(t);
  std::vector<double> sums(rows.size() * lanes, 0.0);
  const Pass& pass = PassOf(w);
  const plan::PlannedPass& planned = spec_->workers[w].layout.plans[pass.set_id];
  for (uint32_t step = 0; step < state_.workers[w].program.step; ++step) {
    const plan::PlannedOp& op = planned.ops[planned.steps[step].op];
    const uint32_t op_index = planned.steps[step].op;
    const bool skipped = !pass.skipped.empty() && pass.skipped[op_index] != 0;
    if (!planned.steps[step].end || op.kind != plan::OpKind::kUpdate || op.table != t || skipped) continue;
    Recorded(w, pass.set_id, op_index).rows.ForEachRow([&](uint64_t row) {
      const auto found = std::lower_bound(rows.begin(), rows.end(), row);
      if (found == rows.end() || *found != row) return;
      for (uint32_t lane = 0; lane < lanes; ++lane) {
        sums[static_cast<size_t>(found - rows.begin()) * lanes + lane] +=
            UpdateValue(*spec_, w, state_.workers[w].program.clock, HashOf(pass.set_id, op_index), t, row, lane);
      }
    });
  }
  return sums;
}

}  // namespace geeps::sim
