"""Everything at once, in front of real puma: uploads, downloads, streams, WebSockets, scans, clients that vanish, reloads, and an
application that is killed and ended and started again. Afterwards nothing is left open, and every request is in the metrics, in the
access log and in the clients' own books exactly once.

SEKISHO_MIXED_SECONDS says for how long; the row of ctest is short, ten minutes are 600.
"""

import os
import signal
import threading
import time
import unittest
from collections import Counter

from support.http_client import Client
from support.ledger import Ledger
from support.process import PATIENCE, wait_until
from support.sekisho import Puma, Sekisho
from support.visitors import DIGITS, EVERYONE, Visitor

SECONDS = float(os.environ.get("SEKISHO_MIXED_SECONDS", "20"))
WARM_UP = min(30.0, max(8.0, SECONDS / 10))
RESTART_EVERY = 8 if SECONDS < 60 else 16  # reloads
SANITIZED = bool(os.environ.get("SEKISHO_SANITIZED"))  # whose own memory is not the proxy's
MIB = 1024 * 1024
TOTAL = 96 * MIB  # of buffers
GROWTH = 4 * MIB  # what the process may have grown by from the end of the warm-up to the end
THREADS = 5
WORKERS = 2
AT_REST = ["client_connections", "tunnels_active", "upstream_in_flight", "upstream_queue_length"]


def settings(upstream, version):
    """A file that differs from the one before it in what a reload may change."""
    return f"""
upstream: {{servers: "{upstream}", max_in_flight: {THREADS + version % 2}, idle_timeout: 3s, buffer: {{total: {TOTAL}}}}}
hosts: [www.example.jp]
limits:
  - {{name: probes, match: {{paths: builtin:probes}}, block: true, ban: {{after: 20, within: 10s, for: 1s}}}}
  - {{name: per-client, rate: {100_000 + version}/s}}
"""


BROKEN = ["lmits: []\n", "limits: [{name: x, rate: 5}]\n", "limits: [\n"]


class LedgerTest(unittest.TestCase):
    """The comparison can fail, in each way that it is there for."""

    @staticmethod
    def line(name, status=200, outcome="proxied"):
        return {"request_id": name, "status": status, "outcome": outcome}

    def test_what_is_wrong_is_found(self):
        ledger = Ledger()
        names = [ledger.open("x") for _ in range(5)]
        for name, end in zip(names, [("answered", 200), ("cut", 200), ("left", None), ("left", 200), ("answered", 502)]):
            ledger.close(name, *end)
        right = [self.line(names[0]), self.line(names[1], outcome="upstream_error"), self.line(names[3], outcome="client_abort")]
        right += [self.line(names[4], 502, "upstream_error"), self.line(None, 400, "bad_request")]
        self.assertEqual(ledger.compare(right), [])
        self.assertEqual(ledger.compare([*right, self.line(names[2], 0, "client_abort")]), [])
        for wrong in (
            right[1:],  # an answer that is not in the log
            [*right, right[0]],  # one that is there twice
            [self.line(names[0], 404), *right[1:]],  # with another status
            [right[0], self.line(names[1]), *right[2:]],  # cut, and well in the log
            [*right[:2], *right[3:]],  # begun before its client left
            [*right, self.line("foreign")],
        ):
            self.assertEqual(len(ledger.compare(wrong)), 1, wrong)
        ledger.open("x")
        self.assertEqual(len(ledger.compare(right)), 1)


class MixedTest(unittest.TestCase):
    def setUp(self):
        self.puma = self.enterContext(Puma(threads=THREADS))
        file = settings(self.puma.upstream, 0)
        self.sekisho = self.enterContext(Sekisho(None, file, workers=WORKERS)).wait_upstream()
        self.ledger = Ledger()
        self.turns = Counter()
        self.most = Counter()

    def test_nothing_is_left_and_nothing_is_miscounted(self):
        self.run_for(WARM_UP)
        base = self.settle()
        self.run_for(SECONDS)
        end = self.settle()
        print(f"\n{SECONDS:.0f} s after a warm-up of {WARM_UP:.0f} s: {dict(self.turns)}")
        print(f"at the base {base}\nat the end  {end}\nat most     {dict(self.most)}")
        self.check_accounts()
        self.assertEqual(end["descriptors"], base["descriptors"])
        self.assertLessEqual(end["buffer_bytes"], base["buffer_bytes"])
        if not SANITIZED:
            self.assertLessEqual(end["memory"] - base["memory"], GROWTH)
        self.assertLessEqual(self.most["buffer_bytes"], TOTAL + len(EVERYONE) * 64 * 1024)
        self.sekisho.signal(signal.SIGTERM)
        self.assertEqual(self.sekisho.wait(), 0)
        self.assertEqual(self.sekisho.events("stop")[0]["cut"], 0)

    # The run

    def run_for(self, seconds):
        stopping = threading.Event()
        visitors = [kind(self.sekisho.address, self.ledger, stopping) for kind in EVERYONE]
        for visitor in visitors:
            visitor.start()
        try:
            self.operate(seconds, stopping)
        finally:
            stopping.set()
            for visitor in visitors:
                visitor.join(90 * PATIENCE)
        self.assertEqual([visitor.kind for visitor in visitors if visitor.is_alive()], [])

    def operate(self, seconds, stopping):
        """What goes on behind and beside the clients: a reload each second, and each few seconds another puma."""
        end = time.monotonic() + seconds
        turn = 0
        while time.monotonic() < end:
            good = turn % 2 == 0
            self.sekisho.configure(settings(self.puma.upstream, turn) if good else BROKEN[turn // 2 % len(BROKEN)])
            self.assertEqual(self.sekisho.reload(), good, f"reload {turn}")
            self.turns["good files" if good else "broken files"] += 1
            if turn % RESTART_EVERY == 3:
                ended_by = signal.SIGKILL if turn % (2 * RESTART_EVERY) == 3 else signal.SIGTERM
                self.puma.restart(ended_by)
                self.turns[f"puma ended by {ended_by.name}"] += 1
            self.look()
            stopping.wait(1.0)
            turn += 1

    def look(self):
        now = self.figures()
        for name, value in now.items():
            self.most[name] = max(self.most[name], value)

    def figures(self):
        return {
            "descriptors": self.sekisho.descriptors(),
            "memory": self.sekisho.memory_kib() * 1024,
            "buffer_bytes": int(self.sekisho.metric("sekisho_buffer_bytes")),
        }

    def settle(self):
        """Waits until nothing goes on any more; what the process then has."""
        self.burst()
        wait_until(lambda: not any(self.sekisho.metric(f"sekisho_{name}") for name in AT_REST), "every connection has ended", 30)
        idle = self.sekisho.metric("sekisho_upstream_connections", state="idle")
        self.assertLessEqual(idle, THREADS + 1, "the pool keeps no more than there may be in flight")
        wait_until(lambda: self.sekisho.metric("sekisho_upstream_connections") == 0, "the pool's idle time is over")
        seen, began = [], time.monotonic()

        def looked_long_enough():
            # The health checks and this one's own questions come and go, and little memory is given back every
            # few seconds alone: the least of what is seen meanwhile is what stays.
            seen.append(self.figures())
            return time.monotonic() - began > 8

        wait_until(looked_long_enough, "some seconds of looking", 30, interval=0.1)
        return {name: min(look[name] for look in seen) for name in seen[0]}

    def burst(self):
        """As many large responses at once as fit, so that the end is measured in the same state as the base."""
        visitor = Visitor(self.sekisho.address, self.ledger, None)
        readers = []
        for _ in range(4):
            name, sent = visitor.open("GET", f"/download?bytes={len(DIGITS)}")
            client = Client(self.sekisho.address, timeout=60)
            client.send(sent)
            readers.append((client, name))
        wait_until(lambda: self.sekisho.metric("sekisho_buffer_bytes") > 20 * MIB, "the responses are held", 30)
        for visitor.client, name in readers:
            visitor.read(name)
            visitor.hang_up()

    # The accounts

    def check_accounts(self):
        probes = len(self.ledger.probes)
        wait_until(
            lambda: self.sekisho.metric("sekisho_requests_total") == self.sekisho.out().count("\n") + probes, "every line is written"
        )
        metrics = self.sekisho.metrics()
        lines = self.sekisho.access_log()

        def counted(name, label):
            found = Counter()
            for (key, labels), value in metrics.items():
                if key == f"sekisho_{name}" and value:
                    found[dict(labels)[label]] += int(value)
            return found

        outcomes = counted("requests_total", "outcome")
        retries = int(metrics[("sekisho_upstream_retries_total", ())])
        print(f"{len(lines)} lines and {probes} probes; by outcome {dict(outcomes)}; {retries} retries")
        print(f"the clients: {dict(self.ledger.ends())} of {len(self.ledger.requests)}, {dict(self.ledger.unnamed)}")
        print(f"statuses: {dict(sorted(counted('responses_total', 'code').items()))}")

        self.assertEqual(metrics[("sekisho_access_log_dropped_total", ())], 0)
        self.assertEqual(outcomes, Counter(line["outcome"] for line in lines) + Counter(probe=probes))
        statuses = Counter(str(line["status"]) for line in lines if line["status"])
        statuses += Counter(str(status) for status, _ in self.ledger.probes)
        self.assertEqual(counted("responses_total", "code"), statuses)
        self.assertEqual(metrics[("sekisho_request_bytes_total", ())], sum(line["bytes_in"] for line in lines))
        answered = sum(line["bytes_out"] for line in lines) + sum(size for _, size in self.ledger.probes)
        self.assertEqual(metrics[("sekisho_response_bytes_total", ())], answered)
        timed = counted("request_duration_seconds_count", "outcome")
        self.assertEqual(timed, Counter({name: count for name, count in outcomes.items() if name != "tunnel"}))
        self.assertEqual(outcomes["internal_error"], 0)

        wrong = self.ledger.compare(lines)
        self.assertEqual(wrong[:20], [], f"{len(wrong)} differences")
        nameless = Counter(line["status"] for line in lines if line["status"] in (400, 431))
        self.assertEqual(nameless, Counter({status: self.ledger.unnamed[status] for status in (400, 431)}))
        self.check_what_reached_the_application(retries)

    def check_what_reached_the_application(self, retries):
        reached = Counter((line["method"], line["fields"].get("HTTP_X_REQUEST_ID")) for line in self.puma.requests())
        twice = {key: count for key, count in reached.items() if count > 1}
        self.assertEqual([key for key in twice if key[0] == "POST"], [], "what is not idempotent was sent again")
        self.assertLessEqual(sum(count - 1 for count in twice.values()), retries)
        names = {name for _, name in reached}
        self.assertEqual(names - set(self.ledger.requests), set())


if __name__ == "__main__":
    unittest.main(verbosity=2)
