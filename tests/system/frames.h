// SPDX-License-Identifier: Apache-2.0
// Frames of the two wires between workers, as somebody on the way sees them: read from a socket one by one, and what of
// them such a one must know or change. Thread contract: pure functions but the reads and writes, which wait.
#ifndef GEEPS_TESTS_SYSTEM_FRAMES_H_
#define GEEPS_TESTS_SYSTEM_FRAMES_H_

#include <cstdint>
#include <string>

namespace geeps::system_test {

// One frame of a control connection; empty at the end of the stream, or when it is none.
std::string ReadControlFrame(int fd);
// What a data connection begins with: the greeting of who connects, and the answer.
std::string ReadGreeting(int fd);
std::string ReadAnswer(int fd);
// One frame of a data connection: a message or a close.
std::string ReadDataFrame(int fd);

bool WriteAll(int fd, const std::string& bytes);

// Sizes of what stands at the front of a frame: of the fixed header, and of a data frame's message header behind it.
size_t ControlHeaderBytes();
size_t DataHeaderBytes();
size_t MessageHeaderBytes(const std::string& data_frame);
// The type of a control frame (net::wire::Type).
uint16_t ControlType(const std::string& frame);
// A sign of life: how many there are depends on the time alone.
bool IsBeat(const std::string& control_frame);

// The coordinator's word that the job is over.
bool IsGoodbye(const std::string& control_frame);

// Who says HELLO, and where it listens for data; the HELLO with another port there. False when it is no HELLO of a
// worker over tcp.
bool ReadHello(const std::string& frame, uint32_t* rank, uint16_t* port);
std::string HelloWithPort(const std::string& frame, uint16_t port);
// The rank of who greets.
uint32_t RankOfGreeting(const std::string& greeting);

}  // namespace geeps::system_test

#endif  // GEEPS_TESTS_SYSTEM_FRAMES_H_
