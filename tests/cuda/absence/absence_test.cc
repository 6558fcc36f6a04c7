// SPDX-License-Identifier: Apache-2.0
// Each way in which there is no CUDA device that can be used has a sentence of its own.
#include <doctest/doctest.h>

#include <cstdio>
#include <sstream>
#include <string>

#include "geeps.h"

namespace {

constexpr const char* kInstall = "install version 525.60.13 or later of the driver";

struct Answer {
  int status = 0;
  int out = 0;  // 77: untouched
  std::string sentence;
  std::string device;
};

struct Answers {
  Answer list;
  Answer create;
};

Answer ReadLine(std::istringstream* lines) {
  Answer answer;
  std::string line, field;
  std::getline(*lines, line);
  std::istringstream fields(line);
  std::getline(fields, field, '|');
  answer.status = std::stoi(field);
  std::getline(fields, field, '|');
  answer.out = std::stoi(field);
  std::getline(fields, answer.sentence, '|');
  std::getline(fields, answer.device, '|');
  return answer;
}

// What a process says that finds the libcuda.so.1 of this folder first.
Answers Ask(const std::string& folder, const std::string& stub_words, int number = -1) {
  const std::string command = "LD_LIBRARY_PATH='" GEEPS_ABSENCE_DIR "/" + folder + "' GEEPS_STUB_CUDA='" + stub_words +
                              "' '" GEEPS_ABSENCE_DIR "/cuda_absence_probe' " + std::to_string(number);
  FILE* const pipe = popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::string text;
  char buffer[1024];
  for (size_t n = 0; (n = fread(buffer, 1, sizeof(buffer), pipe)) > 0;) text.append(buffer, n);
  REQUIRE_MESSAGE(pclose(pipe) == 0, text);
  std::istringstream lines(text);
  Answers answers;
  answers.list = ReadLine(&lines);
  answers.create = ReadLine(&lines);
  return answers;
}

// Both calls say it, and leave what they would have given alone.
void CheckAbsent(const Answers& answers, const std::string& sentence) {
  for (const Answer& answer : {answers.list, answers.create}) {
    CHECK(answer.status == GEEPS_E_NOT_FOUND);
    CHECK(answer.out == 77);
    CHECK(answer.sentence == sentence);
    CHECK(answer.device.empty());
  }
}

TEST_CASE("Driver: a libcuda.so.1 that cannot be loaded is told with the linker's words and what helps") {
  const Answers answers = Ask("damaged", "");
  const std::string& sentence = answers.list.sentence;
  CheckAbsent(answers, sentence);
  CHECK(sentence.find("no NVIDIA driver: ") == 0);
  CHECK(sentence.find("libcuda.so.1: ") != std::string::npos);
  CHECK(sentence.find("; install the NVIDIA driver, version 525.60.13 or later") != std::string::npos);
}

TEST_CASE("Driver: a function that the driver does not have is named") {
  CheckAbsent(Ask("older", ""), std::string("libcuda.so.1 has no function cuLaunchHostFunc: the NVIDIA driver is older "
                                            "than CUDA 12.0; ") +
                                    kInstall);
}

TEST_CASE("Driver: a version before 12.0 is told, 12.0 is enough") {
  CheckAbsent(Ask("stub", "version=11080"),
              std::string("the NVIDIA driver supports CUDA 11.8, 12.0 is needed: ") + kInstall);
  CHECK(Ask("stub", "version=12000").list.status == GEEPS_OK);
}

TEST_CASE("Driver: what cuInit answers is told by name and text") {
  CheckAbsent(Ask("stub", "version=12040 init=999"),
              "the NVIDIA driver (CUDA 12.4) cannot be initialized: cuInit: CUDA_ERROR_UNKNOWN (unknown error)");
}

TEST_CASE("Driver: no device is told, whether cuInit or the count says so") {
  const std::string sentence =
      "the NVIDIA driver (CUDA 13.0) finds no device: is there a GPU, is its device file (/dev/nvidia0 ..) accessible, "
      "does CUDA_VISIBLE_DEVICES hide it?";
  CheckAbsent(Ask("stub", "version=13000 init=100"), sentence);
  CheckAbsent(Ask("stub", "version=13000 count=0"), sentence);
}

TEST_CASE("Driver: a number that no device has is told, with the numbers that there are") {
  const Answers answers = Ask("stub", "count=2", 2);
  CHECK(answers.list.status == GEEPS_OK);
  CHECK(answers.list.out == 2);
  CHECK(answers.list.device == "Stub");
  CHECK(answers.create.status == GEEPS_E_NOT_FOUND);
  CHECK(answers.create.out == 77);
  CHECK(answers.create.sentence == "device 2 of back end cuda: there are 2, numbers 0 to 1");
}

TEST_CASE("Driver: a device older than the kernels, and a plugin without kernels, are told") {
  Answer answer = Ask("stub", "compute=70").create;
  CHECK(answer.status == GEEPS_E_UNSUPPORTED);
  CHECK(answer.sentence == "device 0 (Stub), compute capability 7.0: the kernels need 7.5 or later");
  answer = Ask("stub", "compute=75").create;
  CHECK(answer.status == GEEPS_E_UNSUPPORTED);
  CHECK(answer.out == 77);
  CHECK(answer.sentence ==
        "device 0 (Stub): this plugin was built without nvcc and has no kernels; build it where the CUDA Toolkit is "
        "installed");
}

}  // namespace
