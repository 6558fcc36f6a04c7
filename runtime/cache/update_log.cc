// SPDX-License-Identifier: Apache-2.0
#include "runtime/cache/update_log.h"

#include <algorithm>

namespace geeps::cache {

void UpdateLog::SetParams(protocol::Clock clock, const protocol::RuleParams& params) const {
  LogHeader* const head = header(clock);
  head->num_params = params.num;
  for (uint32_t i = 0; i < params.num; ++i) head->params[i] = params.values[i];
}

protocol::RuleParams UpdateLog::Params(protocol::Clock clock) const {
  const LogHeader* const head = header(clock);
  protocol::RuleParams params;
  const uint32_t num_params = head->num_params;  // read once: a peer may write it at any time
  params.num = std::min(num_params, protocol::kNumParamsMax);
  for (uint32_t i = 0; i < params.num; ++i) params.values[i] = head->params[i];
  return params;
}

}  // namespace geeps::cache
