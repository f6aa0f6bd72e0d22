"""Processes under test: started with their output in files, waited for by condition, stopped for certain."""

import os
import random
import signal
import socket
import subprocess
import tempfile
import time

# The sanitizer rows and a busy machine are slower; every deadline is multiplied by this.
PATIENCE = float(os.environ.get("SEKISHO_TEST_PATIENCE", "3" if os.environ.get("SEKISHO_SANITIZED") else "1"))


def wait_until(condition, what, seconds=15.0, interval=0.01):
    """The first true value of condition(); fails with `what` once the deadline is over."""
    deadline = time.monotonic() + seconds * PATIENCE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds * PATIENCE:.0f} s: {what}")
        time.sleep(interval)


def free_port():
    """A loopback port nobody listens on, below the range from which the kernel takes a client's ports."""
    while True:
        port = random.randrange(12000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("0.0.0.0", port))
                return port
            except OSError:
                continue


def connect(address, timeout=10.0):
    """A connected socket; `address` is a (host, port) pair or a UNIX socket's path."""
    if isinstance(address, str):
        connection = socket.socket(socket.AF_UNIX)
    else:
        connection = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.settimeout(timeout * PATIENCE)
    try:
        connection.connect(address)
    except BaseException:
        connection.close()
        raise
    return connection


def accepts(address):
    try:
        connect(address).close()
        return True
    except OSError:
        return False


class Process:
    """One child in its own folder, with stdout and stderr in files there."""

    def __init__(self, command, environment=None, folder=None):
        self._folder = folder or tempfile.TemporaryDirectory(prefix="sekisho-test-")
        self.folder = self._folder.name
        self.out_path = os.path.join(self.folder, "stdout")
        self.err_path = os.path.join(self.folder, "stderr")
        self._command, self._environment = command, {**os.environ, **(environment or {})}
        self.start()

    def start(self):
        """Starts the command, or starts it again once it has ended: the output is appended."""
        with open(self.out_path, "ab") as out, open(self.err_path, "ab") as err:
            self.child = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=self._environment
            )

    def out(self):
        with open(self.out_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def err(self):
        with open(self.err_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def running(self):
        return self.child.poll() is None

    def wait_ready(self, ready, what, seconds=30.0):
        def check():
            if not self.running():
                raise AssertionError(f"{what} ended with {self.child.returncode}:\n{self.err()[-4000:]}{self.out()[-2000:]}")
            return ready()

        try:
            wait_until(check, f"{what} is ready", seconds)
        except AssertionError as error:
            self.stop()
            raise AssertionError(f"{error}\n{self.err_text_if_any()}") from None

    def err_text_if_any(self):
        return self.err()[-4000:] if os.path.exists(self.err_path) else ""

    def signal(self, number):
        self.child.send_signal(number)

    def wait(self, seconds=30.0):
        """The exit status; fails where the process has not ended by then."""
        try:
            return self.child.wait(seconds * PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"process still runs after {seconds * PATIENCE:.0f} s:\n{self.err()[-4000:]}") from None

    def memory_kib(self):
        """Resident set size."""
        with open(f"/proc/{self.child.pid}/status", encoding="ascii") as file:
            for line in file:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1])
        raise AssertionError("no VmRSS")

    def descriptors(self):
        """How many are open."""
        return len(os.listdir(f"/proc/{self.child.pid}/fd"))

    def cpu_seconds(self):
        """Processor time spent so far."""
        with open(f"/proc/{self.child.pid}/stat", encoding="ascii") as file:
            user, system = file.read().rsplit(")", 1)[1].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        """Ends the process without ceremony and forgets its folder."""
        if self.running():
            self.child.send_signal(signal.SIGKILL)
            self.child.wait()
        self._folder.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.stop()
