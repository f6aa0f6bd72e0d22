"""What stands by: memory of connections and clients, what is remembered, reloads, the start, and sizes on disk."""

import os
import pathlib
import re
import shutil
import socket
import statistics
import subprocess
import time

from compare_parts import cells, process
from compare_parts.process import Failed
from compare_parts.proxies import HOST, Floor, Haproxy, Nginx, Sekisho


def contenders(bench, floor=False, **more):
    found = [Nginx(bench, "nginx", **more), Haproxy(bench, "haproxy", **more)]
    if floor:
        found.append(Floor(bench, "floor", **more))
    return found + [Sekisho(bench, name, binary, **more) for name, binary in bench.sekisho.items()]


def each(bench, what, floor=False, **more):
    """{contender: what(proxy)}, one after the other."""
    values = {}
    for proxy in contenders(bench, floor, **more):
        with proxy:
            values[proxy.name] = what(proxy)
            bench.say(f"  {proxy.name}: {values[proxy.name]}")
    return values


def settled_memory(proxy, seconds=6):
    """Once it has stopped falling: buffers are given back a moment after they were used."""
    least, until = proxy.memory_kib(), time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(0.25)
        now = proxy.memory_kib()
        if now < least:
            least, until = now, max(until, time.monotonic() + 2)
    return least


def ask_on(proxy, connections):
    """One request on each, all sent before any answer is read."""
    head = f"GET /bytes?n=1024 HTTP/1.1\r\nHost: {HOST}\r\nX-Forwarded-For: 198.51.100.7\r\n\r\n".encode()
    for connection in connections:
        connection.sendall(head)
    for connection in connections:
        got = b""
        while b"\r\n\r\n" not in got or len(got) - got.index(b"\r\n\r\n") - 4 < 1024:
            try:
                piece = connection.recv(16384)
            except OSError as problem:
                raise Failed(f"{proxy.name} did not answer on a kept connection: {problem}; so far: {got[:40]}") from None
            if not piece:
                raise Failed(f"{proxy.name} closed a connection that was asked on")
            got += piece
        if not got.startswith(b"HTTP/1.1 200"):
            raise Failed(f"{proxy.name} answered {got[:40]}")


def idle(bench):
    """Kept connections after one request each: all requests at once, and one by one."""
    count = bench.scale.idle

    def measure(proxy, at_once):
        def opened(number):
            found = []
            for _ in range(number):
                found.append(socket.create_connection(("127.0.0.1", proxy.port), 60))
                if not at_once:
                    ask_on(proxy, found[-1:])
            if at_once:
                ask_on(proxy, found)
            return found

        first = opened(100)
        before = settled_memory(proxy, bench.scale.settle)
        rest = opened(count - 100)
        after = settled_memory(proxy, bench.scale.settle)
        for connection in first + rest:
            connection.close()
        return round((after - before) / (count - 100), 2), round(after / 1024, 1)

    # The limit is of another order than in "open": all of these come from one address at once.
    at_once = each(bench, lambda proxy: measure(proxy, True), floor=True, limit="wide")
    in_turn = each(bench, lambda proxy: measure(proxy, False), floor=True, limit="wide") if bench.scale.tuned else {}
    return {"values": {name: {"kib_each": value[0], "mib_in_all": value[1], "connections": count}
                       | ({"kib_each_in_turn": in_turn[name][0]} if in_turn else {}) for name, value in at_once.items()}}


def tracked(bench):
    """Memory that a client's bucket takes, as the process grows; of Sekisho, whose table is taken at start, with that. All tables are full."""
    count = bench.scale.clients(1_000_000)
    warm = count // 4

    def measure(proxy):
        taken = 0
        if proxy.kind == "sekisho":
            with Sekisho(bench, proxy.name, proxy.binary, limit="strict", table=1024) as small:
                taken = proxy.memory_kib() - small.memory_kib()
        # Others of the same kind: what a proxy takes once for such work, for buffers, say, is nothing that a client costs.
        cells.spend(bench, proxy, warm, "10.96.0.0")
        before = settled_memory(proxy, bench.scale.settle)
        cells.spend(bench, proxy, count)
        grown = settled_memory(proxy, bench.scale.settle) - before
        if proxy.kind != "sekisho":
            return {"bytes_each": round(grown * 1024 / count, 1), "clients": count}
        return {"bytes_each": round((taken * count / proxy.table + grown) * 1024 / count, 1), "clients": count,
                "evicted": round(proxy.metric("sekisho_table_evictions_total"))}

    values = each(bench, measure, limit="strict", table=max(count + warm, 1 << 14))
    for value in values.values():
        for field, clients in [("mib_of_1_million", 1_000_000), ("mib_of_10_million", 10_000_000)]:
            value[field] = round(value["bytes_each"] * clients / (1 << 20))
        value["reckoned"] = [*(["mib_of_1_million"] if count != 1_000_000 else []), "mib_of_10_million"]
    for name, binary in bench.sekisho.items():
        if bench.scale.name == "full":
            with Sekisho(bench, name, binary, limit="strict", table=10_000_000) as large:
                values[name]["mib_of_10_million"] = round(large.memory_kib() / 1024)
                values[name]["reckoned"].remove("mib_of_10_million")
    return {"values": values}


def forgotten(bench):
    """Whether a client that has spent its limit ten times over is still refused when 40,000 new ones have passed a table for 8,000."""
    def measure(proxy):
        for _ in range(30):
            status = proxy.ask(client="203.0.113.66")[0]
        if status != 429:
            raise Failed(f"{proxy.name}: the client is not blocked to begin with: {status}")
        bench.load(proxy.address, ["--connections", "32", "--path", "/bytes?n=0", "--clients", "sequential:40000", "--client-base", "10.64.0.0",
                                   "--requests", "40000", "--duration", "60s"])
        status = proxy.ask(client="203.0.113.66")[0]
        return {"status": status, "verdict": "still refused" if status == 429 else "admitted again"}

    return {"values": each(bench, measure, limit="deep", table=8000)}


def next_host(proxy):
    """Another name for the site, in the files alone; the proxy knows it when its reload is done."""
    name = f"reload{len(proxy.hosts)}.example.test"
    proxy.hosts.append(name)
    return name


def reload_once(proxy):
    """Seconds until a new connection meets the new file."""
    name = next_host(proxy)
    began = time.monotonic()
    proxy.reload()
    process.wait_until(lambda: proxy.ask("/bytes?n=0", host=name)[0] == 200, f"{proxy.name} has reloaded")
    return time.monotonic() - began


def reloads(bench):
    """Requests lost over three reloads under kept connections, and how long a request waited at most, with the reloads and without."""
    requests = bench.scale.reload_requests
    rate = 4000

    def load(proxy, between):
        out = str(bench.folder / "reload.json")
        command = ["--connections", "16", "--rate", str(rate), "--requests", str(requests), "--duration", "60s", "--path", "/bytes?n=1024",
                   "--clients", "uniform:1000", "--client-base", "10.1.0.0"]
        child = cells.load_json(bench.load_binary, bench.load_cpus, proxy.address, command, out, wait=False)
        times = []
        try:
            for _ in range(3):
                time.sleep(requests / rate / 4)
                if between:
                    times.append(reload_once(proxy))
            return cells.finish_load(child, command, out)["classes"][0], times
        finally:
            if child.poll() is None:
                child.kill()
                child.communicate()

    def measure(proxy):
        quiet, _ = load(proxy, between=False)
        main, times = load(proxy, between=True)
        lost = sum(main["errors"].values()) + sum(count for status, count in main["statuses"].items() if status != "200")
        return {"requests": main["requests"], "lost": lost, "reload_ms": round(statistics.median(times) * 1000, 1),
                "worst_ms": round(main["latency_ms"]["max"], 2), "worst_without_ms": round(quiet["latency_ms"]["max"], 2),
                "p99.9_ms": round(main["latency_ms"]["p99.9"], 2), "p99.9_without_ms": round(quiet["latency_ms"]["p99.9"], 2)}

    return {"values": each(bench, measure, limit="open", log=True)}


def start_up(bench):
    """Milliseconds from the start of the process to its first answer from the upstream."""
    def measure(proxy):
        proxy.stop_running()
        times = []
        for _ in range(bench.scale.starts):
            began = time.monotonic()
            proxy.start()
            process.wait_until(lambda: proxy.ask("/bytes?n=0", client="198.51.100.7")[0] == 200, f"{proxy.name} answers")
            times.append((time.monotonic() - began) * 1000)
            proxy.stop_running()
        proxy.start()
        return {"ms": round(statistics.median(times), 1)}

    return {"values": each(bench, measure, limit="open", table=262144)}


def sizes(bench):
    """Bytes on disk: the binary, and with it the shared libraries that ldd names, which is what an image needs."""
    values = {}
    for name, binary in {"nginx": shutil.which("nginx"), "haproxy": shutil.which("haproxy"), **bench.sekisho}.items():
        said = subprocess.run(["ldd", binary], capture_output=True, text=True, check=False).stdout
        libraries = {os.path.realpath(path) for path in re.findall(r"(?:=> |^\s*)(/\S+) \(", said, re.MULTILINE)}
        own = pathlib.Path(binary).stat().st_size
        values[name] = {"binary_mib": round(own / (1 << 20), 2), "libraries": len(libraries),
                        "image_mib": round((own + sum(pathlib.Path(path).stat().st_size for path in libraries)) / (1 << 20), 1)}
        bench.say(f"  {name}: {values[name]}")
    return {"values": values}


RESOURCES = {
    "idle": ("an idle keep-alive connection after one request, of {idle}, KB", idle),
    "tracked": ("a tracked client, of {tracked}, bytes", tracked),
    "forgotten": ("a blocked client after 40,000 new addresses pass a table sized for 8,000", forgotten),
    "reloads": ("requests lost over 3 reloads under {reload} keep-alive requests; how long a reload takes, and its stall", reloads),
    "start_up": ("start-up", start_up),
    "sizes": ("sizes on disk", sizes),
}
