"""Sekisho and its upstreams as tests run them: real processes on free ports, ready when the constructor returns."""

import json
import os
import re
import signal
import subprocess
import tempfile

from support.http_client import Truncated, fetch
from support.process import Process, accepts, free_port, wait_until

BINARY = os.environ.get("SEKISHO_BINARY", "")
ORIGIN = os.environ.get("SEKISHO_ORIGIN", "")
RAILS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "rails", "config.ru")

_SAMPLE = re.compile(r'^(\w+)(?:\{(.*)\})? ([^ ]+)$')
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def run_command(*arguments, stdin=None, environment=None, seconds=30):
    """A `sekisho` command run to its end; the CompletedProcess with text."""
    return subprocess.run(
        [BINARY, *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=seconds * 3,
        env={**os.environ, **(environment or {})},
        check=False,
    )


class Sekisho(Process):
    """The proxy. `settings` is YAML without listen, workers, admin and upstream, which are added here: upstream unless it
    is None, admin unless its port is given and `settings` has the rest. `listen`, if given, is YAML in one line and takes
    the place of the one listener at self.address; it may be set anew before configure()."""

    def __init__(self, upstream, settings="", environment=None, wait=True, port=None, admin_port=None, workers=1, listen=None):
        self.port = port or free_port()
        self.admin_port = admin_port or free_port()
        self.address = ("127.0.0.1", self.port)
        self.admin = ("127.0.0.1", self.admin_port)
        folder = tempfile.TemporaryDirectory(prefix="sekisho-test-")
        self.config_path = os.path.join(folder.name, "sekisho.yaml")
        self.listen = listen or f"127.0.0.1:{self.port}"
        self._preamble = f"workers: {workers}\n"
        if admin_port is None:
            self._preamble += f"admin: 127.0.0.1:{self.admin_port}\n"
        if upstream is not None:
            self._preamble += f'upstream: "{upstream}"\n'
        self.configure(settings)
        super().__init__([BINARY, "run", "-c", self.config_path], environment, folder)
        if wait:
            self.wait_ready(lambda: self.alive() if listen else accepts(self.address) and self.alive(), "sekisho")

    def configure(self, settings):
        """Writes the file; the running proxy reads it at the next reload."""
        with open(self.config_path, "w", encoding="utf-8") as file:
            file.write(f"listen: {self.listen}\n" + self._preamble + settings)

    def alive(self):
        try:
            return self.ask("/healthz").status == 200
        except (OSError, Truncated):
            return False

    def ask(self, target, method="GET", fields=()):
        return fetch(self.admin, target, method, fields)

    def wait_upstream(self):
        wait_until(lambda: self.ask("/readyz").status == 200, "an upstream is reached")
        return self

    def metrics(self):
        """{(name, ((label, value), …)): number} of everything at /metrics."""
        result = {}
        for line in self.ask("/metrics").text.splitlines():
            if line and not line.startswith("#"):
                name, labels, number = _SAMPLE.match(line).groups()
                result[(name, tuple(sorted(_LABEL.findall(labels or ""))))] = float(number)
        return result

    def metric(self, name, **labels):
        """The sum of the samples with this name and at least these labels."""
        wanted = set(labels.items())
        return sum(value for (key, got), value in self.metrics().items() if key == name and wanted <= set(got))

    def access_log(self):
        """The lines written so far, parsed; a line still being written is left out."""
        text = self.out()
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    def events(self, name=None):
        """The diagnostics of stderr, parsed; of one event where `name` is said."""
        text = self.err()
        lines = [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines() if line.startswith("{")]
        return [line for line in lines if name is None or line.get("event") == name]

    def reload(self, wait=True):
        """SIGHUP; returns once the outcome is counted. True where the new file was taken."""
        before = self.metrics()
        success = ("sekisho_config_reloads_total", (("result", "success"),))
        failure = ("sekisho_config_reloads_total", (("result", "failure"),))
        self.signal(signal.SIGHUP)
        if not wait:
            return None

        def outcome():
            now = self.metrics()
            if now.get(success, 0) > before.get(success, 0):
                return "success"
            return "failure" if now.get(failure, 0) > before.get(failure, 0) else None

        return wait_until(outcome, "the reload is counted") == "success"


class Puma(Process):
    """The Rails application of tests/rails on real puma, on TCP, on a UNIX socket (unix=True) or by TLS (tls: the paths of a
    certificate and its key)."""

    def __init__(self, unix=False, threads=5, tls=None):
        folder = tempfile.TemporaryDirectory(prefix="sekisho-test-")
        self.log_path = os.path.join(folder.name, "requests")
        if unix:
            self.address = os.path.join(folder.name, "puma.sock")
            self.upstream = bind = f"unix:{self.address}"
            bind = f"unix://{self.address}"
        else:
            self.address = ("127.0.0.1", free_port())
            self.upstream = f"127.0.0.1:{self.address[1]}"
            bind = f"ssl://{self.upstream}?cert={tls[0]}&key={tls[1]}&verify_mode=none" if tls else f"tcp://{self.upstream}"
        command = ["/usr/bin/puma", "-b", bind, "-t", f"{threads}:{threads}", "-e", "production", RAILS]
        super().__init__(command, {"REQUEST_LOG": self.log_path, "RAILS_ENV": "production"}, folder)
        self.wait_ready(lambda: accepts(self.address), "puma", 60)

    def restart(self, number):
        """Ended by the signal, and started again where it was."""
        self.signal(number)
        self.wait(40)
        self.start()
        self.wait_ready(lambda: accepts(self.address), "puma", 60)

    def requests(self):
        """What reached the application so far: a list of {method, path, query, fields}."""
        with open(self.log_path, encoding="utf-8") as file:
            return [json.loads(line) for line in file.read().splitlines()]


def fields_of(response):
    """What the origin's /fields was sent: {lower-case name: value}."""
    lines = [line.split(":", 1) for line in response.text.splitlines() if ":" in line]
    return {name.lower(): value.strip() for name, value in lines}


class Origin(Process):
    """bench's sekisho-origin: answers at once, in many shapes."""

    def __init__(self, unix=False, port=None):
        folder = tempfile.TemporaryDirectory(prefix="sekisho-test-")
        if unix:
            self.address = os.path.join(folder.name, "origin.sock")
            self.upstream = f"unix:{self.address}"
            arguments = ["--unix", self.address]
        else:
            self.address = ("127.0.0.1", port or free_port())
            self.upstream = f"127.0.0.1:{self.address[1]}"
            arguments = ["--port", str(self.address[1])]
        super().__init__([ORIGIN, *arguments], None, folder)
        self.wait_ready(lambda: accepts(self.address), "sekisho-origin")

    def clients(self):
        """How many connections stand at its TCP port: those that their client has closed already are not among them."""
        place, established = f"0100007F:{self.address[1]:04X}", "01"
        with open("/proc/net/tcp", encoding="ascii") as file:
            return sum(line.split()[1] == place and line.split()[3] == established for line in file.readlines()[1:])
