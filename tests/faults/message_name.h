// SPDX-License-Identifier: Apache-2.0
// What the bytes of a connection are, by their first ones: a message of the control plane (runtime/net/control_wire.h),
// a greeting, an answer or a frame of the tcp transport (transports/tcp/wire.h), which holds a message between workers.
// Written from the documents of the wire, not with the library's own decoders.
// Thread contract: NameOfBytes any thread; a ControlStream one at a time.
#ifndef GEEPS_TESTS_FAULTS_MESSAGE_NAME_H_
#define GEEPS_TESTS_FAULTS_MESSAGE_NAME_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace geeps::fault_test {

// "HELLO", "ENTER commit 1", "GREETING", "PUBLISH", ..; empty when the bytes do not begin with anything known.
std::string NameOfBytes(std::string_view bytes);

// The names of the control messages that one side of a connection reads, whatever pieces they come in.
class ControlStream {
 public:
  // The names of the messages that these bytes complete.
  std::vector<std::string> Take(std::string_view bytes);

 private:
  std::string pending_;
};

}  // namespace geeps::fault_test

#endif  // GEEPS_TESTS_FAULTS_MESSAGE_NAME_H_
