"""Well-behaved clients beside a flood that is refused; all as deployed, with an access log.

The good clients are a process of their own, an open loop whose latency counts from when each request was due. They share a processor with
the flood's generator and the upstream. So that they do not wait for the flood's generator, they and the upstream run ahead of all else on
that processor, or where the system does not let us, the flood's generator at the lowest priority. And so that what they still wait is
known, the same clients are measured straight at the upstream during the same flood: "no proxy" in the tables.
"""

import dataclasses
import time

from compare_parts import cells, process
from compare_parts.process import Failed
from compare_parts.proxies import Haproxy, Nginx, Sekisho, stopped_at_end

RATE = 1000


@dataclasses.dataclass
class Flood:
    key: str
    title: str
    load: list
    reference: str
    target: str
    population: int = 0


ONE = ["--path", "/bytes?n=1024", "--clients", "one", "--client-base", "203.0.113.66"]

FLOODS = [
    Flood("flood", "good clients at 1,000/s beside a flood of refusals on 256 connections from one address", ["--connections", "256", *ONE],
          "6.5 / 11.8, 8.8 / 11.8", "p50 1.0, p99 4 ms"),
    Flood("flood_many", "good clients at 1,000/s beside such a flood from {many} addresses",
          ["--connections", "256", "--path", "/bytes?n=1024"], "", "p99 at most half of the better one's", population=cells.MANY),
    Flood("flood_pipelined", "good clients at 1,000/s beside such a flood from one address, pipelined by 16",
          ["--connections", "256", "--pipeline", "16", *ONE], "1,093 and 5,075 of 6,000 served", "all served"),
]


def run_once(bench, flood, proxy, number, nice, direct=False):
    seconds = bench.scale.flood_seconds
    out = str(bench.folder / "flood.json")
    command = [*flood.load, *cells.in_turn(bench, flood.population), "--duration", f"{seconds + 1.5}s"]
    flooding = cells.load_json(bench.load_binary, bench.load_cpus, proxy.address, command, out, nice=nice, wait=False)
    try:
        time.sleep(1)
        # Each good client asks once, so that none of them meets the limit.
        good = bench.load(bench.upstream if direct else proxy.address,
                          ["--connections", "32", "--rate", str(RATE), "--path", "/bytes?n=1024", "--clients", "sequential:60000",
                           "--client-base", f"10.{128 + number}.0.0", "--duration", f"{seconds}s"], preferred=True, may_starve=True)
        attack = cells.finish_load(flooding, command, out, may_starve=True)["classes"][0]
    finally:
        if flooding.poll() is None:
            flooding.kill()
            flooding.communicate()
    main = good["classes"][0]
    total, refused = sum(attack["statuses"].values()), attack["statuses"].get("429", 0)
    if refused < 0.98 * total:
        raise Failed(f"{flood.key}: {proxy.name}: the flood should get 429: {attack['statuses']}")
    if main["statuses"].keys() - {"200"}:
        raise Failed(f"{flood.key}: {proxy.name}: good clients should get 200: {main['statuses']}")
    return {
        "cell": flood.key, "contender": "no proxy" if direct else proxy.name, "round": number, "wanted": round(RATE * seconds),
        "served": main["statuses"].get("200", 0), "errors": main["errors"], "latency_ms": main["latency_ms"],
        "load": good["load"], "refused_per_s": attack["requests_per_s"], "flood_errors": attack["errors"],
    }


def latency(run):
    p50, p99 = run["latency_ms"].get("p50"), run["latency_ms"].get("p99")
    return f"p50 {p50:.2f}, p99 {p99:.2f} ms" if run["served"] else "nobody answered"


def run_flood(bench, flood):
    common = {"limit": "strict", "log": True}
    proxies = [Nginx(bench, "nginx", **common), Haproxy(bench, "haproxy", **common),
               *(Sekisho(bench, name, binary, **common) for name, binary in bench.sekisho.items())]
    runs = []
    nice = 0 if process.prefer(bench.origin.pid) else 19
    with stopped_at_end(proxies):
        for proxy in proxies:
            proxy.start()
            proxy.verify()
            process.prefer(proxy.sink.pid)  # no proxy shall wait for its log's reader
            if flood.population and proxy.kind != "nginx":
                cells.spend(bench, proxy, flood.population)
        for number in range(bench.scale.flood_rounds):
            for proxy in cells.in_order(proxies + [None], flood.key, number):
                if flood.population and proxy and proxy.kind == "nginx":  # which admits a client again after a minute, its slowest rate
                    cells.spend(bench, proxy, flood.population)
                runs.append(run_once(bench, flood, proxy or proxies[-1], number, nice, direct=proxy is None))
                run = runs[-1]
                bench.say(f"  round {number + 1}/{bench.scale.flood_rounds} {run['contender']}: {run['served']} of {run['wanted']}, "
                          f"{latency(run)}; {run['refused_per_s']:.0f} refused a second")
    process.prefer(bench.origin.pid, False)
    return {"key": flood.key, "contenders": [*(proxy.name for proxy in proxies), "no proxy"], "runs": runs}
