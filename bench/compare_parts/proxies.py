"""What is compared: each proxy with its configuration, started, asked whether it does its work, and looked into."""

import contextlib
import fcntl
import http.client
import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile

from compare_parts import process
from compare_parts.process import Failed

HERE = pathlib.Path(__file__).resolve().parent
HOST = "www.example.test"
# What every configuration is filled in with. open: a limit that nobody here meets; wide: nor a client that is all of them; strict: one
# request and no more; deep: ten, for a client that is deep in debt when the others have but a request each.
LIMITS = {
    "open": {"nginx": ("1000r/s", "burst=2000 nodelay"), "haproxy": ("10s", 20000), "sekisho": ("1000/s", 2000)},
    "wide": {"nginx": ("100000r/s", "burst=200000 nodelay"), "haproxy": ("10s", 1000000), "sekisho": ("100000/s", 200000)},
    "strict": {"nginx": ("1r/m", ""), "haproxy": ("10m", 1), "sekisho": ("1/h", 1)},
    "deep": {"nginx": ("1r/m", "burst=9 nodelay"), "haproxy": ("10m", 10), "sekisho": ("1/min", 10)},
}


def fill(name, values):
    text = (HERE / name).read_text(encoding="utf-8")
    return re.sub(r"@([A-Z_]+)@", lambda found: str(values[found[1]]), text)


def piece(name):
    """A file that another takes in."""
    return (HERE / name).read_text(encoding="utf-8").strip()


class Proxy:
    """One of them, running. `limit` names a row of LIMITS; `tuning`: small, bulk, or of HAProxy log; `table`: clients that it can track."""

    kind = ""
    stop_signal = signal.SIGTERM
    reload_signal = signal.SIGHUP

    def __init__(self, bench, name, limit="open", log=False, tuning=None, table=1 << 20, workers=1):
        self.bench, self.name, self.limit, self.log, self.tuning = bench, name, limit, log, tuning
        self.table, self.workers = table, workers
        self.port = process.free_port()
        self.hosts = [HOST]
        self.child = self.sink = None
        self.lines = None  # of the access log, once it has stopped
        self._folder = tempfile.TemporaryDirectory(prefix="sekisho-compare-")
        self.folder = pathlib.Path(self._folder.name)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def command(self):
        raise NotImplementedError

    def configure(self):
        """Writes its files; a reload reads them again."""

    def start(self):
        pipe = self.start_sink() if self.log else None
        self.configure()
        with open(self.folder / "stderr", "wb") as errors:
            self.child = process.start(self.command(), self.bench.proxy_cpus(self.workers), stdout=pipe or errors, stderr=errors)
        if pipe:
            pipe.close()
            self.sink.stdin = None  # closed: nothing of ours keeps the pipe open
        try:
            process.wait_until(lambda: self.child.poll() is not None or process.accepts(self.port), f"{self.name} listens", 60)
            if self.child.poll() is not None:
                raise Failed(f"{self.name} ended with {self.child.returncode}")
        except Failed as problem:
            said = self.said()
            self.stop()
            raise Failed(f"{problem}\n{said}") from None

    def start_sink(self):
        """Who reads the log, which is not the proxy's cost, and counts its lines; the proxy's end of the pipe."""
        self.sink = process.start(["wc", "-l"], self.bench.load_cpus, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        # A reader that shares its processor with the load comes late now and then: no proxy shall wait for that, or lose lines.
        fcntl.fcntl(self.sink.stdin, fcntl.F_SETPIPE_SZ, 1 << 20)
        return self.sink.stdin

    def said(self):
        """The end of what it wrote to stderr."""
        return (self.folder / "stderr").read_text(encoding="utf-8", errors="replace")[-3000:]

    def stop_running(self):
        """Ends it; it may be started again."""
        if self.child:
            process.stop_family(self.child, self.stop_signal)
            self.child = None
        if self.sink:
            try:
                self.lines = int(self.sink.communicate(timeout=10)[0])
            except (subprocess.TimeoutExpired, ValueError):
                process.stop(self.sink)
            self.sink = None

    def stop(self):
        self.stop_running()
        self._folder.cleanup()

    def pids(self):
        return process.family(self.child.pid)

    def cpu_ns(self):
        return process.cpu_ns(self.pids())

    def memory_kib(self):
        return process.memory_kib(self.pids())

    def reload(self):
        self.configure()
        self.child.send_signal(self.reload_signal)

    def ask(self, path="/bytes?n=1024", host=HOST, client=None):
        """(status, length of the body) of one request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path, headers={"Host": host, **({"X-Forwarded-For": client} if client else {})})
            response = connection.getresponse()
            return response.status, len(response.read())
        except (OSError, http.client.HTTPException):
            return 0, 0
        finally:
            connection.close()

    def verify(self):
        """Fails where it does not do what it is compared for."""
        good, again = self.ask(client="198.51.100.7"), self.ask(client="198.51.100.7")
        other = self.ask(client="203.0.113.250, 198.51.100.8")  # what the client itself claims counts for nothing
        claimed = self.ask(client="203.0.113.251, 198.51.100.8")
        wanted = [
            ("a good request", good, (200, 1024)),
            ("the next of the same client", again[0], 429 if self.limit == "strict" else 200),
            ("one of another client", other, (200, 1024)),
            ("one of that client under another claim", claimed[0], 429 if self.limit == "strict" else 200),
        ]
        # Trusted peers on the right are passed over until an address that is none of them.
        for claim, expected in [("198.51.100.1, 127.0.0.9", 200), ("198.51.100.2, 127.0.0.9", 200),
                                ("198.51.100.1, 127.0.0.10", 429 if self.limit == "strict" else 200)]:
            wanted.append((f"one forwarded for {claim}", self.ask(client=claim)[0], expected))
        for what, got, expected in wanted:
            if got != expected:
                raise Failed(f"{self.name}, limit {self.limit}: {what} got {got}, not {expected}")
        for what, got in [("a scanner's path", self.ask("/phpmyadmin/", client="198.51.100.9")),
                          ("a host that is an address", self.ask(host=self.address, client="198.51.100.10"))]:
            if got[0] not in (403, 421):
                raise Failed(f"{self.name}: {what} got {got[0]}, not 403 or 421")
        if self.limit in ("open", "wide"):  # else the other limit refuses first
            # Five a second: on a machine that stands still meanwhile it takes more of them to meet it.
            statuses = [self.ask("/limited", client="198.51.100.11")[0] for _ in range(50)]
            if statuses[:5] != [200] * 5 or 429 not in statuses or self.ask(client="198.51.100.11")[0] != 200:
                raise Failed(f"{self.name}: a path of its own limit, 5 a second, got {statuses}")

    def values(self):
        rate, burst = LIMITS[self.limit][self.kind]
        return {"PORT": self.port, "WORKERS": self.workers, "UPSTREAM": self.bench.upstream, "DIR": self.folder, "RATE": rate, "BURST": burst,
                "TABLE": self.table, "HOSTS": " ".join(self.hosts), "TUNING": ""}


@contextlib.contextmanager
def stopped_at_end(proxies):
    """However it ends; where that is because a proxy has ended, the failure says which."""
    try:
        yield
    except Failed as problem:
        dead = [f"{proxy.name} ended with {proxy.child.returncode}: {proxy.said()}" for proxy in proxies if proxy.child and proxy.child.poll() is not None]
        raise Failed("\n".join([str(problem), *dead])) from None
    finally:
        for proxy in proxies:
            proxy.stop()


class Nginx(Proxy):
    kind = "nginx"

    def configure(self):
        values = self.values() | {
            "USER": "user root;" if os.geteuid() == 0 else "",
            "NOFILE": self.bench.descriptors, "CONNECTIONS": self.bench.descriptors - 500,
            "ACCESS": "/dev/stdout json buffer=64k flush=1s" if self.log else "off",
            # A queue of new connections for each worker, so that they do not wake for each other's.
            "REUSEPORT": " reuseport" if self.workers > 1 else "",
            # 128 bytes a client, and what the zone keeps its books with.
            "ZONE": f"{max(1, (self.table + 7999) // 8000)}m",
            "TUNING": piece(f"nginx_{self.tuning}.conf") if self.tuning else "",
        }
        (self.folder / "nginx.conf").write_text(fill("nginx.conf", values), encoding="utf-8")

    def command(self):
        return ["nginx", "-p", self.folder, "-e", "stderr", "-c", self.folder / "nginx.conf"]


class Haproxy(Proxy):
    kind = "haproxy"
    reload_signal = signal.SIGUSR2
    ring_port = 0  # where the ring's reader listens

    def start_sink(self):
        if self.tuning != "log":
            return super().start_sink()
        # The ring's reader is a server: it takes HAProxy's connection, and reads that as others read the pipe.
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.ring_port = listener.getsockname()[1]
            accept = ("import os, socket; peer = socket.socket(fileno=0).accept()[0]; os.dup2(peer.fileno(), 0); peer.close(); "
                      "os.execvp('wc', ['wc', '-l'])")
            self.sink = process.start(["/usr/bin/python3", "-c", accept], self.bench.load_cpus, stdin=listener, stdout=subprocess.PIPE)
        return None

    def configure(self):
        values = self.values()
        window, most = LIMITS[self.limit]["haproxy"]
        (self.folder / "probes.lst").write_text((HERE / "probes.lst").read_text(encoding="utf-8"), encoding="utf-8")
        values |= {
            "WINDOW": window, "MOST": most,
            # Two descriptors a connection, and where it splices, a pipe's as well.
            "CONNECTIONS": self.bench.descriptors // (5 if self.tuning == "bulk" else 2) - 250,
            # Containers log to stdout, a write for each line. Tuned, lines go into a ring in memory, whence they leave many at once.
            "GLOBAL_LOG": "" if not self.log else "log ring@lines format raw local0 info" if self.tuning == "log" else "log stdout format raw local0 info",
            "RING": fill("haproxy_ring.cfg", {"PORT": self.ring_port}) if self.tuning == "log" else "",
            "LOG": piece("haproxy_log.cfg") if self.log else "",
            "GLOBAL_TUNING": piece(f"haproxy_{self.tuning}.cfg") if self.tuning in ("small", "bulk") else "",
            "TUNING": "option splice-request\n    option splice-response" if self.tuning == "bulk" else "",
        }
        (self.folder / "haproxy.cfg").write_text(fill("haproxy.cfg", values), encoding="utf-8")

    def command(self):
        return ["haproxy", "-W", "-db", "-f", self.folder / "haproxy.cfg"]


class Sekisho(Proxy):
    kind = "sekisho"

    def __init__(self, bench, name, binary, **more):
        super().__init__(bench, name, **more)
        self.binary = binary
        self.admin_port = process.free_port()

    def configure(self):
        values = self.values() | {"ADMIN": self.admin_port, "ACCESS": "stdout" if self.log else "off", "HOSTS": ", ".join(self.hosts)}
        (self.folder / "sekisho.yaml").write_text(fill("sekisho.yaml", values), encoding="utf-8")

    def command(self):
        return [self.binary, "run", "-c", self.folder / "sekisho.yaml"]

    def metric(self, name):
        """The sum of a metric over its labels."""
        connection = http.client.HTTPConnection("127.0.0.1", self.admin_port, timeout=10)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if re.match(rf"{name}[ {{]", line))


class Floor(Proxy):
    """The kernel's share alone: a relay on raw epoll, or for refusals an answerer; it checks and limits nothing."""

    kind = "floor"

    def command(self):
        if self.limit != "strict":
            return [self.bench.floor, "relay", self.address, self.bench.upstream]
        return [self.bench.floor, "answer", self.address, "429"]

    def verify(self):
        got = self.ask()[0]
        if got != (429 if self.limit == "strict" else 200):
            raise Failed(f"{self.name} answers {got}")
