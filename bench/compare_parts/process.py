"""The processes of a comparison: started on their processors, what they have used, and stopped for certain."""

import os
import random
import re
import signal
import socket
import subprocess
import tempfile
import time


class Failed(Exception):
    """What a comparison ends with; its text is for the user."""


_given = set()


def free_port():
    """A loopback port that nobody listens on, below those that the kernel gives to clients; never the same twice."""
    while True:
        port = random.randrange(12000, 32000)
        if port in _given:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                _given.add(port)
                return port
            except OSError:
                continue


def accepts(port):
    try:
        socket.create_connection(("127.0.0.1", port), 2).close()
        return True
    except OSError:
        return False


def wait_until(condition, what, seconds=15):
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise Failed(f"not within {seconds} s: {what}")
        time.sleep(0.002)
    return value


def prefer(pid, yes=True):
    """Ahead of all else on its processor; 0 is the caller. Whether the system lets us."""
    try:
        os.sched_setscheduler(pid, os.SCHED_RR if yes else os.SCHED_OTHER, os.sched_param(1 if yes else 0))
        return True
    except PermissionError:
        return False


def start(command, cpus, nice=0, preferred=False, **more):
    """A child on these processors."""
    def prepare():
        os.sched_setaffinity(0, cpus)
        if nice:
            os.nice(nice)
        if preferred:
            prefer(0)

    try:
        return subprocess.Popen(command, preexec_fn=prepare, **({"stdin": subprocess.DEVNULL} | more))
    except OSError as problem:
        raise Failed(f"{command[0]}: {problem.strerror}") from None


def stop(child, number=signal.SIGTERM, patience=5):
    if child.poll() is None:
        child.send_signal(number)
        try:
            child.wait(patience)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def stop_family(child, number):
    """The child and its descendants, those too that outlive it."""
    handles = []
    for pid in family(child.pid):
        try:
            handles.append(os.pidfd_open(pid))
        except ProcessLookupError:
            continue
    stop(child, number)
    for handle in handles:
        try:
            signal.pidfd_send_signal(handle, signal.SIGKILL)
        except ProcessLookupError:
            pass
        os.close(handle)


def family(pid):
    """The process and all that descend from it."""
    children = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", encoding="ascii", errors="replace") as file:
                    parent = int(file.read().rsplit(")", 1)[1].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(name))
    found = [pid]
    for one in found:
        found += children.get(one, [])
    return found


def cpu_ns(pids):
    """Processor time of all their threads, to the nanosecond, as the scheduler counts it: user, system, and the network's share."""
    total = 0
    for pid in pids:
        try:
            for thread in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{thread}/schedstat", encoding="ascii") as file:
                    total += int(file.read().split()[0])
        except FileNotFoundError:
            continue
    return total


def memory_kib(pids):
    """Resident, each page that several of them share counted once."""
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
                total += int(re.search(r"^Pss: *(\d+)", file.read(), re.MULTILINE)[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
    return total


def count_system_calls(pids, work):
    """How many the processes made while work() ran, and what it returned; None where strace may not look."""
    with tempfile.NamedTemporaryFile("r", suffix=".strace") as out:
        command = ["strace", "-f", "-c", "-o", out.name]
        for pid in pids:
            command += ["-p", str(pid)]
        try:
            tracer = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        except OSError:
            return None, work()
        try:
            if not wait_until(lambda: traced(pids) or tracer.poll() is not None, "strace attaches") or tracer.poll() is not None:
                return None, work()
            result = work()
        finally:
            stop(tracer, signal.SIGINT)
            tracer.stderr.close()
        # The last line: 100.00 SECONDS [USECS/CALL] CALLS [ERRORS] total
        last = [line.split() for line in out.read().splitlines() if line.rstrip().endswith("total")]
        return (int(last[-1][3]) if last else None), result


def traced(pids):
    for pid in pids:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/status", encoding="utf-8") as file:
                if "TracerPid:\t0\n" in file.read():
                    return False
    return True
