// SPDX-License-Identifier: Apache-2.0
#include "tests/cuda/fake/races.h"

#include <algorithm>

#include "tests/cuda/fake/findings.h"

namespace geeps::fake {

std::string Races::Note(const std::shared_ptr<const Actor>& actor, Bytes bytes, bool writes,
                        const std::string& memory) {
  std::string race;
  size_t num_kept = 0;
  bool is_noted = false;
  for (Access& access : accesses_) {
    const bool is_own = access.actor == actor;
    const bool is_before = is_own || actor->clock.Covers(access.actor->slot, access.actor->time);
    const bool overlaps = bytes.first < access.bytes.end() && access.bytes.first < bytes.end();
    if (overlaps && !is_before && (writes || access.writes) && race.empty()) {
      race = Text("race between ", access.actor->text, ", which ", access.writes ? "writes" : "reads", ", and ",
                  actor->text, ", which ", writes ? "writes" : "reads", ", over ",
                  std::min(bytes.end(), access.bytes.end()) - std::max(bytes.first, access.bytes.first), " bytes of ",
                  memory, ": no event or wait orders them");
    }
    if (is_own && access.writes == writes && bytes.first <= access.bytes.end() && access.bytes.first <= bytes.end()) {
      const uint64_t end = std::max(bytes.end(), access.bytes.end());
      access.bytes.first = std::min(bytes.first, access.bytes.first);
      access.bytes.num = end - access.bytes.first;
      is_noted = true;
    }
    // Whoever races with the old access and not with this one does not exist: this one is the stricter of the two.
    const bool covers = bytes.first <= access.bytes.first && access.bytes.end() <= bytes.end();
    if (!is_own && is_before && covers && (writes || !access.writes)) continue;
    if (&accesses_[num_kept] != &access) accesses_[num_kept] = std::move(access);
    ++num_kept;
  }
  accesses_.resize(num_kept);
  if (!is_noted) accesses_.push_back({actor, bytes, writes});
  return race;
}

const Actor* Races::FirstNotCovered(const Clock& host) const {
  for (const Access& access : accesses_) {
    if (!host.Covers(access.actor->slot, access.actor->time)) return access.actor.get();
  }
  return nullptr;
}

void Races::Forget(const Clock& covered) {
  std::erase_if(accesses_,
                [&](const Access& access) { return covered.Covers(access.actor->slot, access.actor->time); });
}

}  // namespace geeps::fake
