// SPDX-License-Identifier: Apache-2.0
// Meeting by a file: what dead jobs leave behind, who may answer there instead of rank 0; and what workers say while
// they wait.
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "runtime/net/rendezvous_file.h"
#include "tests/net/control_harness.h"
#include "tests/support/temporary_folder.h"

namespace geeps::net {
namespace {

std::string Url(const std::string& path) { return absl::StrCat("file://", path); }

uint16_t PortOf(const std::string& url) { return static_cast<uint16_t>(std::stoi(url.substr(url.rfind(':') + 1))); }

// Worker 1 looks around; then rank 0 comes, and both meet and part.
void MeetAndPart(Workers& workers) {
  workers[0]->Begin();
  for (auto& worker : workers) {
    const auto welcome = worker->plane.AwaitWelcome();
    REQUIRE_MESSAGE(welcome.ok(), std::string(welcome.status().message()));
  }
  CHECK(workers[0]->plane.AwaitWelcome()->job == workers[1]->plane.AwaitWelcome()->job);
  ShutDown(workers);
}

TEST_CASE("Meeting by a file: 2 to 4 workers meet, and the file is gone when they have") {
  TemporaryFolder folder;
  for (uint32_t world = 2; world <= 4; ++world) {
    Workers workers = MakeWorkers(world, Url(folder.File("job")));
    Meet(workers);
    CHECK(folder.NumFiles() == 0);
    ShutDown(workers);
  }
}

TEST_CASE("Meeting by a file: two jobs meet one after another at one path, the second while the first goes on") {
  TemporaryFolder folder;
  Workers first = MakeWorkers(2, Url(folder.File("job")));
  Workers second = MakeWorkers(3, Url(folder.File("job")));
  Meet(first);
  Meet(second);
  CHECK(first[0]->plane.AwaitWelcome()->job != second[0]->plane.AwaitWelcome()->job);
  ShutDown(first);
  ShutDown(second);
}

TEST_CASE("Meeting by a file: rank 0 listens where the options say, in the file's words too") {
  TemporaryFolder folder;
  Worker worker(0, 2, Url(folder.File("job")));
  const uint16_t port = tool::FindFreeLoopbackPort().value_or(0);
  worker.options.listen_address = "127.0.0.2";
  worker.options.listen_ports = {port, port};
  worker.Begin();
  const auto file = ReadRendezvousFile(folder.File("job"));
  REQUIRE(file.ok());
  CHECK(file->address == "127.0.0.2");
  CHECK(file->port == port);
  CHECK(file->nonce != 0);
}

TEST_CASE("Meeting by a file: rank 0 takes it away when it gives up, and when it is stopped") {
  TemporaryFolder folder;
  Worker late(0, 2, Url(folder.File("late")));
  late.options.start_limit = std::chrono::milliseconds(50);
  CHECK(DetailOf(late.plane.Start(late.options, &late).status()).code == Code::kTimeout);
  CHECK(folder.NumFiles() == 0);
  Worker stopped(0, 2, Url(folder.File("stopped")));
  stopped.Begin();
  CHECK(folder.NumFiles() == 1);
  stopped.plane.Stop();
  CHECK(folder.NumFiles() == 0);
}

TEST_CASE("Meeting by a file: rank 0 does not write over what is no rendezvous file") {
  TemporaryFolder folder;
  WriteFile(folder.File("notes"), "dear diary\n");
  Worker worker(0, 2, Url(folder.File("notes")));
  CHECK(DetailOf(worker.plane.Begin(worker.options, &worker)).code == Code::kState);
  CHECK(ReadFile(folder.File("notes")) == "dear diary\n");
}

TEST_CASE("Meeting by a file: without one a worker gives up at its limit and says that it is not there") {
  TemporaryFolder folder;
  Worker worker(1, 2, Url(folder.File("job")));
  worker.options.start_limit = std::chrono::milliseconds(50);
  const absl::Status cause = worker.plane.Start(worker.options, &worker).status();
  CHECK(DetailOf(cause).code == Code::kTimeout);
  CHECK(absl::StrContains(cause.message(), absl::StrCat("nobody answered at ", Url(folder.File("job")),
                                                        " within 0.05 s: the file is not there yet")));
}

TEST_CASE("Meeting by a file: one that a dead job left, at whose port nobody answers, is waited out") {
  TemporaryFolder folder;
  REQUIRE(WriteRendezvousFile(folder.File("job"), {"127.0.0.1", PortOf(FreshPort()), 7}).ok());
  Workers workers = MakeWorkers(2, Url(folder.File("job")));
  workers[1]->Begin();
  REQUIRE(workers[1]->Logs(LogLevel::kDebug, "Connection refused"));
  MeetAndPart(workers);
}

TEST_CASE("Meeting by a file: a file that is no rendezvous file is waited out by the others") {
  TemporaryFolder folder;
  WriteFile(folder.File("job"), "geeps rendezvous 1\nfrom a version to come\n");
  Workers workers = MakeWorkers(2, Url(folder.File("job")));
  workers[1]->Begin();
  REQUIRE(workers[1]->Logs(LogLevel::kDebug, "it is no rendezvous file of this version"));
  MeetAndPart(workers);
}

TEST_CASE("Meeting by a file: a dead job's file that names the port of a live job makes nobody join that job") {
  for (const bool stranger_has_a_file : {false, true}) {
    CAPTURE(stranger_has_a_file);
    TemporaryFolder folder;
    Workers strangers = MakeWorkers(2, stranger_has_a_file ? Url(folder.File("other")) : FreshPort());
    strangers[0]->Begin();
    const uint16_t port =
        stranger_has_a_file ? ReadRendezvousFile(folder.File("other"))->port : PortOf(strangers[0]->options.rendezvous);
    REQUIRE(WriteRendezvousFile(folder.File("job"), {"127.0.0.1", port, 7}).ok());
    // The same rank, world, name of the job and transport as the one that the stranger waits for.
    Workers workers = MakeWorkers(2, Url(folder.File("job")));
    workers[1]->Begin();
    REQUIRE(workers[1]->Logs(LogLevel::kDebug,
                             "a stranger answers (it is rank 0 of another job); rank 0 has not replaced the file yet"));
    MeetAndPart(workers);
    strangers[1]->Begin();
    for (auto& stranger : strangers) REQUIRE(stranger->plane.AwaitWelcome().ok());
    ShutDown(strangers);
    // It asked once, not all the time.
    CHECK(strangers[0]->CountLines(LogLevel::kWarning, "looks for another job, whose rendezvous file is out of date") ==
          1);
  }
}

TEST_CASE("Meeting by a file: at the limit a worker that has met a stranger only says so") {
  TemporaryFolder folder;
  Workers strangers = MakeWorkers(2, FreshPort());
  strangers[0]->Begin();
  REQUIRE(WriteRendezvousFile(folder.File("job"), {"127.0.0.1", PortOf(strangers[0]->options.rendezvous), 7}).ok());
  Worker worker(1, 2, Url(folder.File("job")));
  worker.options.start_limit = std::chrono::milliseconds(1500);
  const absl::Status cause = worker.plane.Start(worker.options, &worker).status();
  CHECK(DetailOf(cause).code == Code::kTimeout);
  CHECK(absl::StrContains(cause.message(), "a stranger answers (it is rank 0 of another job)"));
}

TEST_CASE("Meeting by a file: refusals by rank 0 of the own job are final") {
  TemporaryFolder folder;
  Worker coordinator(0, 3, Url(folder.File("job")));
  coordinator.Begin();
  Worker other_world(1, 4, Url(folder.File("job")));
  other_world.Begin();
  CHECK(absl::StrContains(other_world.Down().message(), "it expects 4 workers, the coordinator 3"));
}

TEST_CASE("Meeting by a file: who knows the port but not the nonce is refused") {
  TemporaryFolder folder;
  Worker coordinator(0, 2, Url(folder.File("job")));
  coordinator.Begin();
  Worker worker(1, 2, absl::StrCat("tcp://127.0.0.1:", ReadRendezvousFile(folder.File("job"))->port));
  worker.Begin();
  CHECK(DetailOf(worker.Down()).code == Code::kMismatch);
  CHECK(absl::StrContains(worker.Down().message(),
                          absl::StrCat("it does not come by the file of ", Url(folder.File("job")))));
}

class Listening {
 public:
  Listening() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(name);
    REQUIRE(bind(fd_, reinterpret_cast<sockaddr*>(&name), length) == 0);
    REQUIRE(listen(fd_, 8) == 0);
    REQUIRE(getsockname(fd_, reinterpret_cast<sockaddr*>(&name), &length) == 0);
    port = ntohs(name.sin_port);
  }
  ~Listening() { close(fd_); }
  int Accept() const { return accept(fd_, nullptr, nullptr); }
  uint16_t port = 0;

 private:
  const int fd_;
};

TEST_CASE(
    "Meeting by a file: at the port of a dead job another program says something else: the worker waits for rank 0") {
  TemporaryFolder folder;
  Listening program;
  REQUIRE(WriteRendezvousFile(folder.File("job"), {"127.0.0.1", program.port, 7}).ok());
  Workers workers = MakeWorkers(2, Url(folder.File("job")));
  workers[1]->Begin();
  const int fd = program.Accept();
  REQUIRE(fd >= 0);
  const std::string banner = "220 mail.example ESMTP\r\n";
  REQUIRE(send(fd, banner.data(), banner.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(banner.size()));
  REQUIRE(workers[1]->Logs(LogLevel::kDebug, "a stranger answers (no control frame"));
  MeetAndPart(workers);
  close(fd);
}

TEST_CASE("Meeting by a file: a worker whom a silent program keeps connected leaves it when the file is replaced") {
  TemporaryFolder folder;
  Listening program;
  REQUIRE(WriteRendezvousFile(folder.File("job"), {"127.0.0.1", program.port, 7}).ok());
  Workers workers = MakeWorkers(2, Url(folder.File("job")));
  workers[1]->Begin();
  const int fd = program.Accept();
  REQUIRE(fd >= 0);
  MeetAndPart(workers);
  CHECK(workers[1]->CountLines(LogLevel::kDebug, "the file was replaced") == 1);
  close(fd);
}

TEST_CASE("Waiting: rank 0 warns who is missing, and again; a worker warns what it waits for, connected or not") {
  const std::string rendezvous = FreshName();
  Workers workers = MakeWorkers(4, rendezvous);
  for (auto& worker : workers) worker->options.report_period = std::chrono::milliseconds(20);
  workers[1]->Begin();
  CHECK(workers[1]->Logs(LogLevel::kWarning, absl::StrCat("rank 1 waits for rank 0 at ", rendezvous,
                                                          " for 0 s: nobody waits at ", rendezvous)));
  workers[0]->Begin();
  CHECK(workers[1]->Logs(LogLevel::kWarning, absl::StrCat("rank 1 is connected to rank 0 at ", rendezvous,
                                                          " and waits for 0 s until all 4 workers have come")));
  const std::string missing = absl::StrCat("waiting for ranks 2, 3 of 4 at ", rendezvous, " for ");
  CHECK(workers[0]->WaitFor([&] { return workers[0]->CountLines(LogLevel::kWarning, missing) >= 2; }));
  workers[2]->Begin();
  CHECK(workers[0]->Logs(LogLevel::kWarning, absl::StrCat("waiting for rank 3 of 4 at ", rendezvous)));
  workers[3]->Begin();
  for (auto& worker : workers) REQUIRE(worker->plane.AwaitWelcome().ok());
  ShutDown(workers);
}

}  // namespace
}  // namespace geeps::net
