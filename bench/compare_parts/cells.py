"""The cells of the comparison that are measured by processor time a request, and how one of them is run."""

import collections
import dataclasses
import json
import os
import pathlib
import random
import statistics
import subprocess

from compare_parts import process
from compare_parts.process import Failed
from compare_parts.proxies import HOST, Floor, Haproxy, Nginx, Sekisho, stopped_at_end

MEGABYTE = 1_000_000


@dataclasses.dataclass
class Cell:
    key: str
    title: str  # as Scale.titled fills it in
    load: list  # arguments of sekisho-load
    status: str = "200"  # what nearly every request must get
    limit: str = "open"
    log: bool = False  # as deployed: with an access log
    bare: bool = True  # the baseline is nginx without a log, whatever the others do
    tuning: str = ""  # small or bulk: the incumbents take part once more, tuned for it; log: HAProxy, with its lines written together
    floor: bool = True
    per_gb: bool = False  # the figure is seconds of processor time a gigabyte of bodies
    target: float = 0  # Sekisho at most: times bare nginx; of a per_gb cell, seconds
    reference: str = ""  # what DESIGN.md's prototype measured of nginx, HAProxy and the floor
    population: int = 0  # clients that ask in turn; each has spent its limit before anything is measured
    workers: int = 1  # of a second Sekisho and a second nginx
    paced: bool = False  # measured once more in an open loop, at a rate that all of them can serve


GET = ["--path", "/bytes?n=1024", "--clients", "uniform:1000", "--client-base", "10.1.0.0"]
REFUSED = ["--path", "/bytes?n=1024", "--clients", "one", "--client-base", "203.0.113.66"]
MANY = 400_000

CELLS = [
    Cell("get32", "GET 1 KB, 32 keep-alive connections, bare", ["--connections", "32", *GET], paced=True, target=0.86, reference="1.00 / 0.90 / 0.81"),
    Cell("get32_log", "GET 1 KB, 32 keep-alive connections, as deployed", ["--connections", "32", *GET], log=True, tuning="log", paced=True, target=0.90,
         floor=False, reference="1.19 to 1.20 / 1.09 to 1.17"),
    Cell("get256", "GET 1 KB, 256 connections, bare", ["--connections", "256", *GET], tuning="small", paced=True, target=0.63,
         reference="1.00 (tuned 0.84) / 0.91 / 0.55 to 0.58"),
    Cell("refuse", "refusal, one client address, bare", ["--connections", "32", *REFUSED], "429", "strict", paced=True, target=0.70,
         reference="1.00 / 1.01 to 1.10 / 0.65"),
    Cell("refuse_log", "refusal, as deployed", ["--connections", "32", *REFUSED], "429", "strict", log=True, tuning="log", floor=False, paced=True, target=0.75,
         reference="1.28 / 1.34 to 1.41"),
    Cell("refuse_many", "refusals from {many} addresses in turn, bare",
         ["--connections", "32", "--path", "/bytes?n=1024"], "429", "strict",
         floor=False, paced=True, target=0.55, population=MANY, reference="1.00 / 1.20"),
    Cell("refuse_pipelined", "refusals, pipelined by 16, bare", ["--connections", "32", "--pipeline", "16", *REFUSED], "429", "strict",
         target=0.10, reference="1.00 / 0.95 / 0.055"),
    Cell("fresh", "a new connection for each request, as deployed", ["--connections", "32", "--fresh", *GET], log=True, bare=False, target=0.85,
         reference="1.00 / 1.02"),
    Cell("down", "1 MB down, as deployed, CPU s/GB", ["--connections", "16", "--path", f"/bytes?n={MEGABYTE}", "--clients", "uniform:1000"],
         log=True, bare=False, tuning="bulk", per_gb=True, target=0.30, reference="0.93 (tuned 0.53) / 0.48 (tuned 0.31) / 0.36 to 0.43"),
    Cell("up", "1 MB up, as deployed, CPU s/GB",
         ["--connections", "16", "--method", "POST", "--path", "/upload", "--body", str(MEGABYTE), "--clients", "uniform:1000"],
         log=True, bare=False, tuning="bulk", per_gb=True, target=0.40, reference="1.76 (tuned 0.49) / 0.42 / 0.40"),
    Cell("workers", "GET 1 KB, 64 connections: two workers beside one", ["--connections", "64", *GET], floor=False, workers=2),
    Cell("workers_refuse", "refusals pipelined by 16: two workers beside one", ["--connections", "64", "--pipeline", "16", *REFUSED], "429",
         "strict", floor=False, workers=2),
]


def suffix(cell):
    """Of the names of those with a log, where there is one without."""
    return ", log" if cell.log and cell.bare else ""


def contenders(bench, cell):
    """The nginx first that all ratios are to."""
    common = {"limit": cell.limit, "log": cell.log}
    found = [Nginx(bench, "nginx", limit=cell.limit, log=cell.log and not cell.bare)]
    if suffix(cell):
        found.append(Nginx(bench, "nginx" + suffix(cell), **common))
    if not cell.workers > 1:
        found.append(Haproxy(bench, "haproxy" + suffix(cell), **common))
    if cell.tuning and bench.scale.tuned:
        if cell.tuning != "log":
            found.append(Nginx(bench, "nginx, tuned", tuning=cell.tuning, **common))
        found.append(Haproxy(bench, "haproxy, tuned", tuning=cell.tuning, **common))
    if cell.floor:
        found.append(Floor(bench, "floor", limit=cell.limit))
    for name, binary in bench.sekisho.items():
        found.append(Sekisho(bench, name + suffix(cell), binary, **common))
    if cell.workers > 1:
        found.append(Nginx(bench, f"nginx, {cell.workers} workers", workers=cell.workers, **common))
        for name, binary in bench.sekisho.items():
            found.append(Sekisho(bench, f"{name}, {cell.workers} workers", binary, workers=cell.workers, **common))
    return found


def check(cell, proxy, statuses, errors):
    """Fails where a run was not the work that the cell is about."""
    total = sum(statuses.values())
    right = statuses.get(cell.status, 0)
    # A client is admitted again a minute after it was; nothing else may differ.
    if total == 0 or right < 0.98 * total or any(errors.values()):
        raise Failed(f"{cell.key}: {proxy.name}: every request should get {cell.status}: statuses {statuses}, errors {errors}")


def in_turn(bench, population, base="10.64.0.0"):
    """Options of sekisho-load: so many clients, one after the other, or as many as the scale has."""
    return ["--clients", f"sequential:{bench.scale.clients(population)}", "--client-base", base] if population else []


def spend(bench, proxy, population, base="10.64.0.0"):
    """Each of the clients asks once, and has then spent its limit."""
    bench.load(proxy.address, ["--connections", "64", "--pipeline", "8", "--path", "/bytes?n=0", *in_turn(bench, population, base), "--requests",
                               str(bench.scale.clients(population)), "--duration", "300s"])


def in_order(contenders_of_round, key, number):
    """Shuffled for each round, so that nobody always runs after the same one; the same in every comparison."""
    return random.Random(f"{key} {number}").sample(contenders_of_round, len(contenders_of_round))


def run_once(bench, cell, proxy, number, seconds, rate=None):
    """A closed loop, or with a rate an open one."""
    pace = ["--rate", str(rate)] if rate else []
    for _ in range(3):  # a short run on a machine that stands still for a moment may hold no answer at all
        cpu = proxy.cpu_ns()
        report = bench.load(proxy.address, [*cell.load, *pace, *in_turn(bench, cell.population), *bench.scale.amount(seconds, cell.per_gb)], may_starve=True)
        cpu = proxy.cpu_ns() - cpu
        main = report["classes"][0]
        if main["requests"]:
            break
    check(cell, proxy, main["statuses"], main["errors"])
    return {
        "cell": cell.key, "contender": proxy.name, "round": number, "requests": main["requests"], "seconds": report["duration_s"],
        "requests_per_s": main["requests_per_s"], "cpu_us_per_request": cpu / 1000 / main["requests"],
        "cpu_s_per_gb": cpu / (main["requests"] * MEGABYTE) if cell.per_gb else None,
        "cpus_used": cpu / 1e9 / report["duration_s"], "memory_kib": proxy.memory_kib(), "latency_ms": main["latency_ms"],
        "statuses": main["statuses"], "load_us_per_request": report["load"]["cpu_us_per_request"], "load": report["load"],
    }


def count_calls(bench, cell, proxy):
    """System calls a request, in a short run of its own, and its requests."""
    requests = bench.scale.traced_requests // (10 if cell.per_gb else 1)
    calls, report = process.count_system_calls(
        proxy.pids(), lambda: bench.load(proxy.address, [*cell.load, *in_turn(bench, cell.population), "--requests", str(requests), "--duration", "20s"]))
    answered = report["classes"][0]["requests"]
    return (calls / answered if calls else None), answered


def run_rounds(bench, cell, proxies, rounds, seconds, rate=None):
    """All contenders, round by round."""
    runs = []
    for number in range(rounds):
        for proxy in in_order(proxies, cell.key, number):
            runs.append(run_once(bench, cell, proxy, number, seconds, rate))
            bench.say(f"  round {number + 1}/{rounds}{f' at {rate:,}/s' if rate else ''} {describe(runs[-1])}")
    return runs


def common_rate(runs, proxies):
    """Half of what the slowest can serve: everybody has time to spare, and the same to do."""
    return max(100, round(min(median_of(runs, proxy.name, "requests_per_s") for proxy in proxies) / 2))


def run_cell(bench, cell):
    """Every run of the cell: the closed loop tells what a request costs a proxy that is full, the open one how long it takes in one that is not."""
    proxies = contenders(bench, cell)
    calls, answered = {}, collections.Counter()
    paced, rate = [], None
    with stopped_at_end(proxies):
        for proxy in proxies:
            proxy.start()
            proxy.verify()
        # nginx, whose clients are admitted again after a minute, last: its measurement begins at once.
        for proxy in reversed(proxies):
            if cell.population:
                bench.say(f"  {proxy.name}: {bench.scale.clients(cell.population):,} clients spend their limit")
                spend(bench, proxy, cell.population)
            else:
                report = bench.load(proxy.address, [*cell.load, *bench.scale.amount(bench.scale.warmup, cell.per_gb)], may_starve=True)
                answered[proxy.name] += report["classes"][0]["requests"]
        runs = run_rounds(bench, cell, proxies, bench.scale.rounds, bench.scale.seconds)
        if cell.paced:
            rate = common_rate(runs, proxies)
            for proxy in proxies:
                if cell.population and proxy.kind == "nginx":
                    spend(bench, proxy, cell.population)
            paced = run_rounds(bench, cell, proxies, bench.scale.paced_rounds, bench.scale.paced_seconds, rate)
        for run in runs + paced:
            answered[run["contender"]] += run["requests"]
        for proxy in proxies:
            calls[proxy.name], requests = count_calls(bench, cell, proxy)
            answered[proxy.name] += requests
    # A log that drops lines costs less: how many of the requests are in it.
    logged = {proxy.name: min(1, proxy.lines / answered[proxy.name]) for proxy in proxies if proxy.lines is not None}
    return {"key": cell.key, "contenders": [proxy.name for proxy in proxies], "runs": runs, "paced_rate": rate, "paced_runs": paced, "system_calls": calls, "logged": logged}


def describe(run):
    figure = f"{run['cpu_s_per_gb']:.3f} s/GB" if run["cpu_s_per_gb"] else f"{run['cpu_us_per_request']:.2f} us"
    return (f"{run['contender']}: {run['requests_per_s']:.0f}/s, {figure}, {run['cpus_used'] * 100:.0f} % of a processor; "
            f"load {run['load_us_per_request']:.2f} us{', the bottleneck' if run['load']['bottleneck'] else ''}")


def ratios(runs, contender, what="cpu_us_per_request", baseline="nginx"):
    """Round by round to the baseline's run of that round."""
    base = {run["round"]: run[what] for run in runs if run["contender"] == baseline}
    return [run[what] / base[run["round"]] for run in runs if run["contender"] == contender and base.get(run["round"])]


def median_of(runs, contender, what):
    values = [run["latency_ms"].get(what) if what.startswith("p") else run[what] for run in runs if run["contender"] == contender]
    values = [value for value in values if value is not None]
    return statistics.median(values) if values else None


def load_json(binary, cpus, target, arguments, path, wait=True, may_starve=False, **more):
    """sekisho-load to its end, or where not to wait the running child; its report lands in `path`."""
    pathlib.Path(path).unlink(missing_ok=True)
    command = [binary, *arguments, "--host", HOST, "--warmup", "0s", "--json", path, "--quiet", target]
    child = process.start(command, cpus, **more, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    return finish_load(child, command, path, may_starve) if wait else child


def finish_load(child, command, path, may_starve=False):
    """Its report; where nobody was answered at all, which may_starve lets pass, sekisho-load ends with 1 and has written one too."""
    said = child.communicate()[1]
    if child.returncode != 0 and not (may_starve and child.returncode == 1 and os.path.exists(path)):
        raise Failed(f"{' '.join(map(str, command))} ended with {child.returncode}:\n{said}")
    with open(path, encoding="utf-8") as file:
        return json.load(file)
