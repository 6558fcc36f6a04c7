// SPDX-License-Identifier: Apache-2.0
// Pusher: update log -> keepers. Executes what the contributors decide: sends contributions and FIRE, or shows the log
// entry to keepers that map it.
// Thread contract: the mover thread; never blocks.
#ifndef GEEPS_RUNTIME_MOVERS_PUSHER_H_
#define GEEPS_RUNTIME_MOVERS_PUSHER_H_

#include <cstdint>
#include <vector>

#include "runtime/movers/context.h"

namespace geeps::movers {

class Pusher {
 public:
  explicit Pusher(MoverContext* context) : context_(context) {}

  void OnData(uint32_t table, protocol::Clock clock, uint32_t set_id);
  void OnFire(uint32_t table, protocol::Clock clock, uint32_t set_id);
  // A subscription of the table has absorbed `age`.
  void OnAge(uint32_t table, uint32_t subscription, protocol::Age age);
  void OnSent(uint32_t table, uint32_t lane, protocol::Clock clock);
  // A contribution has been copied to where the host reaches it.
  void OnDownloaded(uint32_t table, uint32_t lane, protocol::Clock clock);
  // The same, by partition: the own keeper has applied a contribution that it read out of the log.
  void OnLocalApplied(uint32_t table, uint32_t partition, protocol::Clock clock);
  void Execute(const ContributorAction& action);

 private:
  void Queue(uint32_t table);
  // Sends what the contributor wants to leave, or lets it wait for what must leave before it.
  void Leave(EpochTable* table, uint32_t t, const protocol::ContributorEffect& effect);
  void Send(EpochTable* table, uint32_t t, const protocol::ContributorEffect& effect);
  void Download(EpochTable* table, uint32_t t, const protocol::ContributorEffect& effect);
  static bool LeavesDevice(const EpochTable& table, const protocol::ContributorEffect& effect);
  static uint32_t KeeperOf(const EpochTable& table, const protocol::ContributorEffect& effect);
  const plan::Block& BlockOf(const EpochTable& table, uint32_t t, const protocol::ContributorEffect& effect) const;
  void SendContribution(EpochTable* table, uint32_t t, const protocol::ContributorEffect& effect);
  void SendFire(EpochTable* table, uint32_t t, const protocol::ContributorEffect& effect);
  void StoreFired(EpochTable* table, uint32_t t, const protocol::ContributorEffect& effect);

  MoverContext* const context_;
  std::vector<protocol::ContributorEffect> effects_;
};

}  // namespace geeps::movers

#endif  // GEEPS_RUNTIME_MOVERS_PUSHER_H_
