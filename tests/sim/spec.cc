// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/spec.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/status.h"
#include "runtime/table/init.h"

namespace geeps::sim {
namespace {

using protocol::NumLandingSlots;
using protocol::NumMappedVersions;

class SpecBuilder {
 public:
  explicit SpecBuilder(WorldInput input) : spec_(std::make_shared<WorldSpec>()) {
    spec_->input = std::move(input);
    spec_->world = static_cast<uint32_t>(spec_->input.workers.size());
  }

  absl::StatusOr<std::shared_ptr<const WorldSpec>> Build() {
    MapRows();
    GEEPS_RETURN_IF_ERROR(BuildLayouts());
    GEEPS_RETURN_IF_ERROR(ExchangeSets());
    for (PartitionSpec& partition : spec_->partitions) FinishKeeper(&partition);
    for (uint32_t w = 0; w < spec_->world; ++w) FinishWorker(w);
    FinishChecked();
    return std::shared_ptr<const WorldSpec>(spec_);
  }

 private:
  void MapRows() {
    const WorldInput& input = spec_->input;
    spec_->first_partition.resize(input.tables.size(), kNone);
    spec_->partition_of_row.resize(input.tables.size());
    for (uint32_t t = 0; t < input.tables.size(); ++t)
      spec_->partition_of_row[t].resize(input.tables[t].schema.num_rows);
    spec_->partitions.resize(input.partitions.size());
    for (uint32_t p = 0; p < input.partitions.size(); ++p) {
      const table::Partition& where = input.partitions[p];
      spec_->partitions[p].where = where;
      spec_->first_partition[where.table] = std::min(spec_->first_partition[where.table], p);
      for (uint64_t row = where.first_row; row < where.end_row(); ++row) spec_->partition_of_row[where.table][row] = p;
    }
  }

  plan::LayoutInput LayoutInputOf(uint32_t w) const {
    const WorldInput& input = spec_->input;
    plan::LayoutInput layout;
    for (uint32_t t = 0; t < input.tables.size(); ++t) {
      plan::LayoutInput::Table table;
      table.object = TableObject(t);
      table.schema = input.tables[t].schema;
      table.first_partition = spec_->first_partition[t];
      table.num_partitions = NumPartitions(t);
      table.mapped = input.tables[t].mapped[w];
      layout.tables.push_back(std::move(table));
    }
    for (uint32_t l = 0; l < input.locals.size(); ++l) {
      layout.locals.push_back(
          {LocalObject(l), input.locals[l].name, input.locals[l].num_rows, input.locals[l].row_bytes});
    }
    layout.partitions = input.partitions;
    for (const plan::RecordedPlan& plan : input.workers[w].plans) layout.plans.push_back(&plan);
    return layout;
  }

  // First with the worker's own slacks, then with the maxima that a fence would bring.
  absl::Status BuildLayouts() {
    spec_->workers.resize(spec_->world);
    spec_->slack_max.assign(spec_->input.tables.size(), 0);
    for (uint32_t w = 0; w < spec_->world; ++w) {
      GEEPS_ASSIGN_OR_RETURN(const plan::WorkerLayout layout, plan::BuildLayout(LayoutInputOf(w)));
      for (size_t t = 0; t < layout.tables.size(); ++t) {
        spec_->slack_max[t] = std::max(spec_->slack_max[t], layout.tables[t].slack_max);
      }
    }
    for (uint32_t t = 0; t < spec_->slack_max.size(); ++t) {
      if (spec_->input.tables[t].async) spec_->slack_max[t] = protocol::kAsyncSlack;
    }
    for (uint32_t w = 0; w < spec_->world; ++w) {
      plan::LayoutInput input = LayoutInputOf(w);
      input.slack_max = spec_->slack_max;
      GEEPS_ASSIGN_OR_RETURN(spec_->workers[w].layout, plan::BuildLayout(input));
    }
    return absl::OkStatus();
  }

  absl::Status ExchangeSets() {
    for (uint32_t w = 0; w < spec_->world; ++w) {
      for (uint32_t keeper = 0; keeper < spec_->world; ++keeper) {
        const std::string bytes = plan::EncodeSets(spec_->workers[w].layout, spec_->input.partitions, keeper);
        const uint32_t num_plans = static_cast<uint32_t>(spec_->input.workers[w].plans.size());
        GEEPS_ASSIGN_OR_RETURN(const std::vector<plan::PartitionSets> sets,
                               plan::DecodeSets(bytes, spec_->input.partitions, keeper, num_plans));
        for (const plan::PartitionSets& set : sets) AddParticipant(w, set);
      }
    }
    return absl::OkStatus();
  }

  void AddParticipant(uint32_t w, const plan::PartitionSets& sets) {
    PartitionSpec& partition = spec_->partitions[sets.partition];
    const uint64_t first_row = partition.where.first_row;
    ParticipantSpec participant;
    participant.rank = w;
    participant.observer = spec_->input.tables[partition.where.table].IsObserver(w);
    participant.mapped = spec_->input.tables[partition.where.table].mapped[w];
    sets.reads.ForEachRow(
        [&](uint64_t row) { participant.read_rows.push_back(static_cast<uint32_t>(row - first_row)); });
    uint64_t rows_max = 0;
    for (const table::RowSet& rows : sets.updates) {
      participant.updates.push_back(rows.Shifted(first_row));
      rows_max = std::max(rows_max, rows.NumRows());
    }
    participant.landing_values = static_cast<uint32_t>(rows_max) * spec_->lanes(partition.where.table);
    partition.any_mapped = partition.any_mapped || participant.mapped;
    partition.participants.push_back(std::move(participant));
  }

  void FinishKeeper(PartitionSpec* partition) {
    const uint32_t p = static_cast<uint32_t>(partition - spec_->partitions.data());
    const uint32_t slack_max = spec_->slack_max[partition->where.table];
    protocol::KeeperOptions& options = partition->options;
    options.slack_max = slack_max;
    options.num_versions = partition->any_mapped ? NumMappedVersions(slack_max) : 1;
    options.first_age = spec_->input.first_clock;
    options.frozen = true;
    options.async = spec_->input.tables[partition->where.table].async;
    for (ParticipantSpec& participant : partition->participants) {
      protocol::KeeperOptions::Participant peer;
      peer.rank = participant.rank;
      peer.mapped = participant.mapped;
      peer.reads = !participant.read_rows.empty();
      peer.observer = participant.observer;
      for (const table::RowSet& rows : participant.updates) {
        peer.has_data.push_back(!rows.IsEmpty());
        options.frozen = options.frozen && rows.IsEmpty();
      }
      options.participants.push_back(std::move(peer));
      for (uint32_t i = 0; !participant.mapped && i < NumLandingSlots(slack_max); ++i) {
        participant.landing.push_back(spec_->map.Allocate(
            participant.landing_values,
            absl::StrCat("landing slot ", i, " of partition ", p, " for worker ", participant.rank)));
      }
    }
    partition->num_values = static_cast<uint32_t>(partition->where.num_rows) * spec_->lanes(partition->where.table);
    for (uint32_t v = 0; v < options.num_versions; ++v) {
      partition->versions.push_back(
          spec_->map.Allocate(partition->num_values, absl::StrCat("version buffer ", v, " of partition ", p)));
    }
    const uint32_t num_states = NumStates(*spec_->input.tables[partition->where.table].schema.rule);
    for (uint32_t s = 0; s < num_states; ++s) {
      partition->states.push_back(
          spec_->map.Allocate(partition->num_values, absl::StrCat("state ", s, " of partition ", p)));
    }
  }

  void FinishWorker(uint32_t w) {
    WorkerSpec& worker = spec_->workers[w];
    worker.tables.resize(spec_->input.tables.size());
    for (uint32_t t = 0; t < worker.tables.size(); ++t) {
      AllocateTable(w, t);
      AddContributor(w, t);
    }
    worker.arena =
        spec_->map.Allocate((worker.layout.arena_bytes + 7) / 8, absl::StrCat("access buffers of worker ", w));
    const bool has_gets = !spec_->input.workers[w].gets.empty() || spec_->input.workers[w].gets_go_on;
    for (uint32_t p = 0; p < spec_->partitions.size() && has_gets; ++p) {
      worker.answers.push_back(spec_->map.Allocate(spec_->partitions[p].num_values,
                                                   absl::StrCat("answers of partition ", p, " for worker ", w)));
    }
    protocol::SequencerOptions& options = worker.sequencer;
    options.num_tables = static_cast<uint32_t>(worker.tables.size());
    options.first_clock = spec_->input.first_clock;
    for (const plan::PlannedPass& pass : worker.layout.plans) {
      protocol::SequencerOptions::Plan plan;
      plan.no_clock = pass.no_clock;
      for (const plan::PlannedOp& planned : pass.ops) {
        protocol::SequencerOptions::Op op;
        op.is_update = planned.kind == plan::OpKind::kUpdate;
        op.is_local = planned.kind == plan::OpKind::kLocal;
        op.in_place = planned.in_place;
        op.zeroed = (planned.flags & plan::kUpdateZeroed) != 0;
        op.table = planned.table;
        op.slack = planned.slack;
        const WorldInput::Table* table = op.is_local ? nullptr : &spec_->input.tables[planned.table];
        op.any_version = planned.kind == plan::OpKind::kRead && (table->async || table->IsObserver(w));
        op.subscriptions = planned.subscriptions;
        plan.ops.push_back(std::move(op));
      }
      options.plans.push_back(std::move(plan));
    }
    worker.own_rows.resize(worker.layout.plans.size());
    for (uint32_t q = 0; q < worker.layout.plans.size(); ++q) AddOwnRows(w, q);
  }

  // Read-my-writes: where each row of each update lies in the cache, and which updates come before which reads.
  void AddOwnRows(uint32_t w, uint32_t q) {
    WorkerSpec& worker = spec_->workers[w];
    const plan::PlannedPass& pass = worker.layout.plans[q];
    const plan::RecordedPlan& recorded = spec_->input.workers[w].plans[q];
    std::vector<protocol::SequencerOptions::Op>& ops = worker.sequencer.plans[q].ops;
    worker.own_rows[q].resize(pass.ops.size());
    std::vector<uint32_t> ended;  // updates
    for (const plan::Step& step : pass.steps) {
      const plan::PlannedOp& planned = pass.ops[step.op];
      if (planned.kind == plan::OpKind::kLocal || !spec_->input.tables[planned.table].read_my_writes) continue;
      protocol::SequencerOptions::Op& op = ops[step.op];
      op.read_my_writes = true;
      if (planned.kind == plan::OpKind::kUpdate && step.end) {
        FindOwnRows(worker, planned, recorded.ops[step.op], &worker.own_rows[q][step.op], &op.subscriptions);
        ended.push_back(step.op);
      } else if (planned.kind == plan::OpKind::kRead && !step.end) {
        for (uint32_t update : ended) {
          const bool shared = pass.ops[update].table == planned.table &&
                              ShareRow(recorded.ops[update].rows, recorded.ops[step.op].rows);
          if (shared) op.own_updates.push_back(update);
        }
      }
    }
  }

  static bool ShareRow(const table::RowSet& a, const table::RowSet& b) {
    std::set<uint64_t> rows;
    a.ForEachRow([&](uint64_t row) { rows.insert(row); });
    bool shared = false;
    b.ForEachRow([&](uint64_t row) { shared = shared || rows.count(row) > 0; });
    return shared;
  }

  static void FindOwnRows(const WorkerSpec& worker, const plan::PlannedOp& planned, const plan::Operation& recorded,
                          std::vector<OwnRow>* out, std::vector<uint32_t>* subscriptions) {
    std::map<uint64_t, std::pair<uint32_t, uint32_t>> cached;  // table row: cache row, subscription
    const plan::TableLayout& layout = worker.layout.tables[planned.table];
    for (uint32_t s = 0; s < layout.subscriptions.size(); ++s) {
      uint32_t cache_row = static_cast<uint32_t>(layout.subscriptions[s].block.first);
      layout.subscriptions[s].reads.ForEachRow([&](uint64_t row) { cached[row] = {cache_row++, s}; });
    }
    std::vector<uint32_t> log_rows(planned.num_rows);
    std::vector<bool> first(planned.num_rows, planned.in_place);
    for (uint32_t i = 0; i < planned.num_rows; ++i) log_rows[i] = static_cast<uint32_t>(planned.place_row) + i;
    const auto place = [&](const plan::RowIndex& index, bool store) {
      ForEachRow(index, [&](uint64_t to, uint64_t from) {
        log_rows[from] = static_cast<uint32_t>(to);
        first[from] = store;
      });
    };
    if (!planned.in_place) {
      place(planned.store, true);
      place(planned.add, false);
    }
    uint32_t i = 0;
    std::set<uint32_t> touched;
    recorded.rows.ForEachRow([&](uint64_t row) {
      const auto found = cached.find(row);
      if (found != cached.end()) {
        out->push_back({i, log_rows[i], found->second.first, found->second.second, first[i]});
        touched.insert(found->second.second);
      }
      ++i;
    });
    subscriptions->assign(touched.begin(), touched.end());
  }

  void AllocateTable(uint32_t w, uint32_t t) {
    const plan::TableLayout& layout = spec_->workers[w].layout.tables[t];
    WorkerTableSpec& table = spec_->workers[w].tables[t];
    const uint32_t lanes = spec_->lanes(t);
    table.mapped = spec_->input.tables[t].mapped[w];
    if (!table.mapped)
      table.cache =
          spec_->map.Allocate(layout.cache_rows * lanes, absl::StrCat("cache of table ", t, " at worker ", w));
    table.subscription_of_partition.assign(NumPartitions(t), kNone);
    for (uint32_t s = 0; s < layout.subscriptions.size(); ++s) {
      const plan::Subscription& planned = layout.subscriptions[s];
      SubscriptionSpec subscription;
      subscription.partition = planned.partition;
      table.subscription_of_partition[planned.partition - spec_->first_partition[t]] = s;
      std::vector<ParticipantSpec>& participants = spec_->partitions[planned.partition].participants;
      for (uint32_t i = 0; i < participants.size(); ++i) {
        if (participants[i].rank == w) subscription.participant = i;
      }
      participants[subscription.participant].subscription = s;
      subscription.cache = table.cache + static_cast<uint32_t>(planned.block.first) * lanes;
      subscription.num_values = static_cast<uint32_t>(planned.block.rows) * lanes;
      if (HasLandings(t, w) && subscription.num_values > 0) {
        subscription.landing = spec_->map.Allocate(
            subscription.num_values, absl::StrCat("landing buffer of partition ", planned.partition, " at worker ", w));
      }
      table.subscriptions.push_back(subscription);
    }
  }

  void AddContributor(uint32_t w, uint32_t t) {
    const plan::TableLayout& layout = spec_->workers[w].layout.tables[t];
    WorkerTableSpec& table = spec_->workers[w].tables[t];
    protocol::ContributorOptions& options = table.contributor;
    options.slack_max = spec_->slack_max[t];
    options.mapped = table.mapped;
    options.read_my_writes = spec_->input.tables[t].read_my_writes;
    options.first_clock = spec_->input.first_clock;
    for (uint32_t i = 0; i < layout.subscriptions.size(); ++i) {
      // Workers start at different partitions.
      const uint32_t s = (i + w) % static_cast<uint32_t>(layout.subscriptions.size());
      const PartitionSpec& partition = spec_->partitions[layout.subscriptions[s].partition];
      if (partition.options.frozen || spec_->input.tables[t].IsObserver(w)) continue;
      protocol::ContributorOptions::Partition lane;
      lane.partition = layout.subscriptions[s].partition;
      auto keeper = std::find(table.keepers.begin(), table.keepers.end(), partition.where.keeper);
      lane.keeper = static_cast<uint32_t>(keeper - table.keepers.begin());
      if (keeper == table.keepers.end()) table.keepers.push_back(partition.where.keeper);
      for (const table::RowSet& rows : layout.subscriptions[s].updates) lane.has_data.push_back(!rows.IsEmpty());
      table.subscriptions[s].contributor_index = static_cast<uint32_t>(options.partitions.size());
      table.contributions.push_back(s);
      options.partitions.push_back(std::move(lane));
    }
    options.num_keepers = static_cast<uint32_t>(table.keepers.size());
    const uint32_t num_entries = protocol::Contributor(options).num_entries();
    for (uint32_t e = 0; e < num_entries; ++e) {
      table.log.push_back(spec_->map.Allocate(layout.log_rows_max * spec_->lanes(t),
                                              absl::StrCat("log entry ", e, " of table ", t, " at worker ", w)));
    }
  }

  void FinishChecked() {
    CheckedWorld& checked = spec_->checked;
    checked.world = spec_->world;
    checked.first_clock = spec_->input.first_clock;
    checked.params = ParamsAt;
    checked.seed = spec_->input.params_differ ? spec_->input.seed : 0;
    for (const WorldInput::Table& table : spec_->input.tables) {
      checked.tables.push_back({table.schema.rule, static_cast<uint32_t>(table.schema.row_values),
                                table.schema.reduce == table::Reduce::kMean,
                                table.schema.rule->id == table::RuleId::kAdd, table.async, table.read_my_writes});
    }
    for (const PartitionSpec& partition : spec_->partitions) {
      CheckedPartition out;
      out.table = partition.where.table;
      out.first_row = partition.where.first_row;
      out.num_rows = partition.where.num_rows;
      out.frozen = partition.options.frozen;
      for (const ParticipantSpec& participant : partition.participants) {
        if (!participant.observer) out.participants.push_back(participant.rank);
      }
      out.initial.resize(partition.num_values);
      table::FillInitial(spec_->input.tables[out.table].schema, out.first_row, out.num_rows, out.initial.data());
      checked.partitions.push_back(std::move(out));
    }
  }

  // Whether versions land in a buffer of their own at this worker, and not in the cache.
  bool HasLandings(uint32_t t, uint32_t w) const {
    const WorldInput::Table& table = spec_->input.tables[t];
    return !table.mapped[w] && (spec_->slack_max[t] > 0 || table.read_my_writes || table.IsObserver(w));
  }

  uint32_t NumPartitions(uint32_t t) const {
    uint32_t count = 0;
    for (const table::Partition& partition : spec_->input.partitions) count += partition.table == t ? 1 : 0;
    return count;
  }

  std::shared_ptr<WorldSpec> spec_;
};

}  // namespace

std::vector<double> ParamsAt(uint64_t seed, uint32_t table, protocol::Clock clock) {
  const uint64_t step = seed == 0 ? 0 : HashOf(seed, table, clock / 3) % 4;
  return {0.125 * static_cast<double>(1 + step), 0.5, 0.75, 0.25, 0.125};
}

double UpdateValue(const WorldSpec& spec, uint32_t rank, protocol::Clock clock, uint64_t op, uint32_t table,
                   uint64_t row, uint32_t lane) {
  const uint64_t bits = HashOf(spec.input.seed, rank, clock, op, table, row, lane);
  if (!spec.checked.tables[table].lanes)
    return static_cast<double>(static_cast<int64_t>(bits >> 12) - (int64_t{1} << 51)) * 0x1p-51;
  if (lane == spec.world) return static_cast<double>(bits & 0xffffff);  // 24 bits: sums of 2^29 of them are exact
  return lane == rank ? 1.0 : 0.0;
}

absl::StatusOr<std::shared_ptr<const WorldSpec>> BuildSpec(WorldInput input) {
  return SpecBuilder(std::move(input)).Build();
}

}  // namespace geeps::sim
