// SPDX-License-Identifier: Apache-2.0
#include "runtime/movers/statistics.h"

#include <utility>

namespace geeps::movers {

std::shared_ptr<TableCounters> StatisticsScope::TableOf(uint64_t object, const table::TableSchema& schema) const {
  for (const std::shared_ptr<TableCounters>& table : tables) {
    if (table->object == object) return table;
  }
  return std::make_shared<TableCounters>(object, schema);
}

std::shared_ptr<PlanCounters> StatisticsScope::PlanOf(const std::shared_ptr<const plan::RecordedPlan>& recorded) const {
  for (const std::shared_ptr<PlanCounters>& plan : plans) {
    if (plan->recorded == recorded) return plan;
  }
  return std::make_shared<PlanCounters>(recorded);
}

StatisticsScope Statistics::Scope() const {
  MutexLock lock(&mutex_);
  return scope_;
}

void Statistics::SetScope(StatisticsScope scope) {
  MutexLock lock(&mutex_);
  std::swap(scope_, scope);
}

}  // namespace geeps::movers
