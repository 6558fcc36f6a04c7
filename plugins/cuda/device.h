// SPDX-License-Identifier: Apache-2.0
// Device: one opened device, what geeps_dev is in this plugin. It holds the primary context of the device, which it
// shares with the embedder and with other Devices, and everything that streams, events and indexes of it have in
// common.
//
// The ends of things never fail and wait for nothing but in ~Device: a stream that ends while its work still runs is
// kept here until that is done.
//
// Thread contract: any thread. REQUIRES for all but Open, the destructor and what says otherwise: the context is
// current (Enter in table.cc, ContextScope).
#ifndef GEEPS_PLUGINS_CUDA_DEVICE_H_
#define GEEPS_PLUGINS_CUDA_DEVICE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_set>
#include <vector>

#include "geeps_device.h"
#include "plugins/cuda/driver.h"
#include "plugins/cuda/functions.h"
#include "plugins/cuda/info.h"
#include "plugins/cuda/launch.h"
#include "plugins/cuda/loss.h"
#include "plugins/cuda/memory.h"
#include "plugins/cuda/notice_board.h"
#include "plugins/cuda/workspace.h"

namespace geeps::cuda {

class Device;
class Stream;

// What geeps_dev_event is in this plugin. A record of the driver's event captures and replaces as geeps_device.h wants
// it, and waits already made keep what they wait for.
struct Event {
  Device* device = nullptr;
  NativeEvent native = nullptr;
  uint64_t source = 0;  // the stream of the last record
  uint64_t record = 0;  // its number in that stream; 0: never recorded
};

// What geeps_dev_index is in this plugin: as launch.h.
struct Index : DeviceIndex {
  Device* device = nullptr;
};

class Device {
 public:
  // Takes the primary context and loads the kernels. Any context may be current. Errors: UNSUPPORTED without kernels
  // for it, NOMEM, DEVICE.
  static Status Open(const Driver* driver, const geeps_host* host, const DeviceFacts& facts, uint64_t memory_limit,
                     std::unique_ptr<Device>* out);
  // Gives the notices left, waits for all work of its streams. Any context may be current.
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  const Driver& driver() const { return driver_; }
  Context context() const { return context_; }
  Loss& loss() { return loss_; }
  Memory& memory() { return memory_; }
  const Functions& functions() const { return functions_; }
  // Any context may be current.
  geeps_dev_info Info() const;

  // *native nullptr: a new one. Errors: INVALID for a handle that the driver does not know.
  Status OpenStream(const uint64_t* native, Stream** out);
  // Deletes it when its work is done. Needs no memory.
  void EndStream(Stream* stream);
  // Before memory is given back: who uses a lost device cannot wait for its work any more. It is over when the context
  // is broken; after a loss for another reason it may still run, and is waited for.
  void FinishIfLost();

  Status CreateEvent(Event** out);
  // Asks for a notice. *status: what to give at once, on this thread and without the context; GEEPS_AGAIN: it will be
  // given.
  Status Notify(Event* event, NoticeFn fn, void* ctx, geeps_status* status);
  // After every call that may have lost the device. Any context may be current.
  void GiveNoticesIfLost() {
    if (loss_.is_lost()) notices_.GiveAll(GEEPS_E_DEVICE);
  }

  Status CreateIndex(const geeps_row_run* runs, uint64_t num_runs, const geeps_row_pair* pairs, uint64_t num_pairs,
                     uint64_t dst_rows, uint64_t src_rows, Index** out);
  void EndIndex(Index* index);

  // One that no stream uses; it comes back with EndStream.
  Workspace* TakeWorkspace();

 private:
  Device(const Driver* driver, const geeps_host* host, const DeviceFacts& facts, uint64_t memory_limit);
  Status Start(const std::string& device_text);
  Status StartWatch();
  Status Upload(const std::vector<uint8_t>& image, DevicePointer* out);
  Status AddSideStream();
  // Ends the streams whose work is done; all of them when `waits`.
  void SweepEndedStreams(bool waits);
  void Watch();

  const Driver& driver_;
  const DeviceFacts facts_;
  Loss loss_;
  Memory memory_;
  Functions functions_;
  NoticeBoard notices_;
  std::atomic<uint64_t> last_stream_id_{0};
  Context context_ = nullptr;  // constant after Start, like the rest here
  std::thread watch_;

  std::mutex upload_mutex_;
  NativeStream upload_ = nullptr;  // guarded by upload_mutex_

  std::mutex streams_mutex_;
  std::unordered_set<Stream*> streams_;  // those in use; guarded by streams_mutex_
  Stream* ended_ = nullptr;              // list of those that have ended; likewise

  std::mutex workspaces_mutex_;
  std::vector<std::unique_ptr<Workspace>> workspaces_;  // all
  std::vector<Workspace*> free_workspaces_;             // room for all, so that giving one back needs no memory
};

}  // namespace geeps::cuda

#endif  // GEEPS_PLUGINS_CUDA_DEVICE_H_
