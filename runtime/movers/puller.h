// SPDX-License-Identifier: Apache-2.0
// Puller: keepers -> parameter cache. Takes in published versions, writes them into the cache, and gives the credits
// back.
// Thread contract: the mover thread; never blocks.
#ifndef GEEPS_RUNTIME_MOVERS_PULLER_H_
#define GEEPS_RUNTIME_MOVERS_PULLER_H_

#include <cstdint>
#include <string>

#include "runtime/movers/context.h"
#include "runtime/protocol/message.h"

namespace geeps::movers {

class Puller {
 public:
  explicit Puller(MoverContext* context) : context_(context) {}

  // From a connection, unchecked.
  void OnPublishMessage(uint32_t rank, uint32_t slot, const protocol::Header& header, uint64_t payload_bytes);
  // values: of the own shard (or its staging memory), or nullptr: landed where the slot says. REQUIRES: header checked.
  void OnPublish(const protocol::Header& header, const uint8_t* values);
  // Looks at the age word of one subscription of a mapped table; at those of all mapped tables.
  void ScanAge(uint32_t table, uint32_t subscription);
  void ScanAges();

  void OnAbsorbed(uint32_t table, uint32_t subscription);
  void Execute(const SubscriberAction& action);

 private:
  static bool IsPossible(const EpochTable& table, uint32_t subscription, protocol::Age age, protocol::Clock own_clock);
  void Absorb(uint32_t table, uint32_t subscription);
  absl::Status AddOwnUpdates(uint32_t table, uint32_t subscription);
  void ReturnCredit(uint32_t table, uint32_t subscription, protocol::Age age);

  MoverContext* const context_;
  std::vector<geeps_row_move> moves_;  // scratch of AddOwnUpdates
};

}  // namespace geeps::movers

#endif  // GEEPS_RUNTIME_MOVERS_PULLER_H_
