// SPDX-License-Identifier: Apache-2.0
// The transport between runtimes of one process, built into libgeeps: include/geeps_transport.h over memory. Payloads are
// copied once, from the sender's pieces into the receiver's slot; segments are shared memory in the plain sense of the word.
// Thread contract: that of geeps_transport.h; endpoints of different threads meet under a lock per connection pair.
#ifndef GEEPS_TRANSPORTS_INPROC_INPROC_H_
#define GEEPS_TRANSPORTS_INPROC_INPROC_H_

#include "geeps_plugin.h"

namespace geeps::inproc {

// The descriptor, as a loadable plugin would return it.
const geeps_plugin* Query(uint32_t host_abi);

}  // namespace geeps::inproc

#endif  // GEEPS_TRANSPORTS_INPROC_INPROC_H_
