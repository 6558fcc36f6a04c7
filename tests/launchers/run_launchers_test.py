# SPDX-License-Identifier: Apache-2.0
"""Starts the sample hello as launchers do: with mpirun itself, and with the variables, and no others, that Slurm and torchrun set.

usage: run_launchers_test.py HELLO
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

DEADLINE_S = 60
HELLO = ""

# As srun of Slurm 22.05 sets them for task 1 of 3 on one host; rank, job and hosts are replaced below.
SLURM = {
    "SLURM_CLUSTER_NAME": "cluster",
    "SLURM_GTIDS": "0,1,2",
    "SLURM_JOBID": "200505",
    "SLURM_JOB_CPUS_PER_NODE": "4",
    "SLURM_JOB_ID": "200505",
    "SLURM_JOB_NAME": "hello",
    "SLURM_JOB_NODELIST": "gnode[010,20,25,37]",
    "SLURM_JOB_NUM_NODES": "4",
    "SLURM_LOCALID": "1",
    "SLURM_NNODES": "1",
    "SLURM_NODEID": "0",
    "SLURM_NODELIST": "gnode[010,20,25,37]",
    "SLURM_NPROCS": "3",
    "SLURM_NTASKS": "3",
    "SLURM_PROCID": "1",
    "SLURM_STEPID": "0",
    "SLURM_STEP_ID": "0",
    "SLURM_STEP_NODELIST": "gnode010",
    "SLURM_STEP_NUM_NODES": "1",
    "SLURM_STEP_NUM_TASKS": "3",
    "SLURM_STEP_TASKS_PER_NODE": "3",
    "SLURM_TASKS_PER_NODE": "3",
    "SLURMD_NODENAME": "gnode010",
}

# As torchrun of PyTorch 2 sets them for the second of two workers on one host.
TORCHRUN = {
    "GROUP_RANK": "0",
    "GROUP_WORLD_SIZE": "1",
    "LOCAL_RANK": "1",
    "LOCAL_WORLD_SIZE": "2",
    "MASTER_ADDR": "trainer0.example",
    "MASTER_PORT": "29500",
    "OMP_NUM_THREADS": "1",
    "RANK": "1",
    "ROLE_NAME": "default",
    "ROLE_RANK": "1",
    "ROLE_WORLD_SIZE": "2",
    "TORCHELASTIC_ERROR_FILE": "/tmp/error.json",
    "TORCHELASTIC_MAX_RESTARTS": "0",
    "TORCHELASTIC_RESTART_COUNT": "0",
    "TORCHELASTIC_RUN_ID": "none",
    "TORCHELASTIC_USE_AGENT_STORE": "True",
    "WORLD_SIZE": "2",
}


def is_free(port):
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_job():
    """A job number whose port is free."""
    return next(job for job in range(os.getpid(), os.getpid() + 1000) if is_free(12000 + 16 * job % 20000))


def line(rank, world):
    value = 10 * world * (world + 1) // 2 * 32
    return f"rank {rank} of {world}: after 10 clocks the last value is {value} and must be {value}"


class Launched(unittest.TestCase):
    def setUp(self):
        self.running = []
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.addCleanup(self.end_all)
        self.folder = folder.name

    def end_all(self):
        for process in self.running:
            process.kill()
            process.communicate()

    def url(self):
        return f"file://{self.folder}/job"

    def start(self, *arguments, environment=None):
        process = subprocess.Popen([HELLO, *arguments], env=environment or {}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        self.running.append(process)
        return process

    def check_all(self, processes):
        for rank, process in enumerate(processes):
            out, err = process.communicate(timeout=DEADLINE_S)
            self.assertEqual((process.returncode, out), (0, line(rank, len(processes)) + "\n"), err)

    def refusal(self, *arguments, environment=None):
        process = self.start(*arguments, environment=environment)
        out, err = process.communicate(timeout=DEADLINE_S)
        self.assertEqual((process.returncode, out), (1, ""), err)
        return err


class Slurm(Launched):
    def test_tasks_of_one_host_meet(self):
        job = free_job()
        self.check_all([self.start("--launcher", "slurm", environment={**SLURM, "SLURM_PROCID": str(rank), "SLURM_JOB_ID": str(job)})
                        for rank in range(3)])

    def test_tasks_of_several_hosts_look_for_the_first_one_until_the_limit(self):
        environment = {**SLURM, "SLURM_STEP_NODELIST": "gnode[010,20].invalid", "SLURM_JOB_ID": "3"}
        err = self.refusal("--launcher", "slurm", "--start_limit_s", "1", environment=environment)
        self.assertIn("GEEPS_E_TIMEOUT: nobody answered at tcp://gnode010.invalid:12048 within 1 s: the name gnode010.invalid", err)

    def test_tasks_of_several_hosts_meet_by_a_file(self):
        environment = {**SLURM, "SLURM_STEP_NODELIST": "gnode[010,20].invalid"}
        self.check_all([self.start("--launcher", "slurm", "--rendezvous", self.url(),
                                   environment={**environment, "SLURM_PROCID": str(rank)}) for rank in range(3)])

    def test_without_slurm_the_variable_is_named(self):
        self.assertIn("GEEPS_E_INVALID: launcher = slurm: the variable SLURM_NTASKS is not set", self.refusal("--launcher", "slurm"))

    def test_nothing_of_it_is_read_unasked(self):
        self.check_all([self.start(environment={**SLURM, **TORCHRUN})])


class Torchrun(Launched):
    def test_workers_of_one_host_meet_at_the_next_port(self):
        with socket.socket() as store:  # torchrun's own is there, too
            port = next(port for port in range(20000 + os.getpid() % 9000, 32000) if is_free(port) and is_free(port + 1))
            store.bind(("127.0.0.1", port))
            store.listen()
            self.check_all([self.start("--launcher", "torchrun",
                                       environment={**TORCHRUN, "RANK": str(rank), "MASTER_PORT": str(port)}) for rank in range(2)])

    def test_a_malformed_variable_is_named(self):
        err = self.refusal("--launcher", "torchrun", environment={**TORCHRUN, "MASTER_PORT": "auto"})
        self.assertIn("MASTER_PORT = 'auto': the port of torchrun's store, a whole number from 1 to 65534", err)


class Options(Launched):
    def workers(self, world, *arguments):
        return [self.start("--rank", str(rank), "--world", str(world), *arguments) for rank in range(world)]

    def test_workers_meet_by_a_file_again_and_again(self):
        for _ in range(2):
            self.check_all(self.workers(3, "--rendezvous", self.url()))
            self.assertEqual(os.listdir(self.folder), [])

    def test_a_file_that_a_killed_rank_0_left_does_not_hinder_the_next_job(self):
        killed = self.start("--rank", "0", "--world", "2", "--rendezvous", self.url())
        deadline = time.monotonic() + DEADLINE_S
        while not os.path.exists(f"{self.folder}/job"):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)
        killed.send_signal(signal.SIGKILL)
        killed.wait(timeout=DEADLINE_S)
        self.assertTrue(os.path.exists(f"{self.folder}/job"))
        self.check_all(list(reversed([self.start("--rank", str(rank), "--world", "2", "--rendezvous", self.url()) for rank in (1, 0)])))
        self.assertEqual(os.listdir(self.folder), [])

    def test_ports_and_addresses_are_those_of_the_options(self):
        low = next(port for port in range(20000 + os.getpid() % 9000, 32000) if all(is_free(port + i) for i in range(3)))
        # Two workers share the range; the third port is the rendezvous'.
        self.check_all(self.workers(2, "--rendezvous", self.url(), "--port", f"{low}-{low + 1}", "--rendezvous_port", str(low + 2),
                                    "--advertise", "127.0.0.1"))

    def test_a_range_of_ports_that_are_all_taken_is_told_with_its_numbers(self):
        with socket.socket() as first, socket.socket() as second:
            low = next(port for port in range(20000 + os.getpid() % 9000, 32000) if is_free(port) and is_free(port + 1))
            for offset, taken in enumerate((first, second)):
                taken.bind(("127.0.0.1", low + offset))
                taken.listen()
            err = self.refusal("--transport", "tcp", "--port", f"{low}-{low + 1}")
            self.assertIn(f"GEEPS_E_IO: transport tcp: cannot listen: none of the 2 ports {low} to {low + 1} is free", err)
            err = self.refusal("--rank", "0", "--world", "2", "--rendezvous", self.url(), "--rendezvous_port", f"{low}-{low + 1}")
            self.assertIn(f"rank 0 cannot listen at 127.0.0.1: none of the 2 ports {low} to {low + 1} is free", err)

    def test_an_address_that_is_not_loopback_is_denied(self):
        for arguments in (("--advertise", "192.0.2.1", "--transport", "tcp"), ("--world", "2", "--rendezvous", "tcp://192.0.2.1:7000")):
            self.assertIn("GEEPS_E_DENIED", self.refusal(*arguments))


class Mpi(Launched):
    def mpirun(self, *arguments):
        program = shutil.which("mpirun")
        if program is None:
            self.skipTest("mpirun is not installed")
        version = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=DEADLINE_S).stdout
        if "Open MPI" not in version:
            self.skipTest(f"mpirun is not Open MPI's: {version.splitlines()[:1]}")
        return subprocess.run([program, "--allow-run-as-root", "--oversubscribe", "-n", "2", HELLO, *arguments], capture_output=True,
                              text=True, timeout=DEADLINE_S, stdin=subprocess.DEVNULL)

    def test_two_processes_of_mpirun_meet_by_a_file(self):
        result = self.mpirun("--launcher", "mpi", "--rendezvous", self.url())
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        for rank in range(2):
            self.assertEqual(result.stdout.count(line(rank, 2)), 1, result.stdout)

    def test_without_a_rendezvous_each_says_what_is_missing(self):
        result = self.mpirun("--launcher", "mpi")
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("launcher = mpi: option rendezvous is missing: mpirun does not say where workers can meet", result.stderr)


if __name__ == "__main__":
    HELLO = sys.argv.pop(1)
    unittest.main(verbosity=2)
