"""A scanner beside a client within its limits, for a minute in real time, in front of real puma.

SEKISHO_SCAN_SECONDS shortens the minute while developing.
"""

import itertools
import os
import threading
import time
import unittest

from support.http_client import Client
from support.sekisho import Puma, Sekisho

SECONDS = float(os.environ.get("SEKISHO_SCAN_SECONDS", "60"))
PER_MINUTE = 200
RATE, BURST = 30, 10  # what the limit below says: a minute, and at once

SETTINGS = f"""
hosts: [www.example.jp]
limits:
  - {{name: scan, match: {{paths: builtin:probes}}, rate: {RATE}/min, burst: {BURST}}}
  - {{name: per-client, rate: 5/s, burst: 10}}
"""

# The same few paths in every spelling by which scanners try to get round a rule.
VARIANTS = """/phpmyadmin/ /phpMyAdmin/index.php /PHPMYADMIN/ /%70hpmyadmin/ /php%4Dyadmin/ //phpmyadmin/ /./phpmyadmin/ /phpmyadmin
/any/../phpmyadmin/ /phpmyadmin;v=1/ /phpmyadmin//index.php /phpmyadmin/./ /phpMyAdmin/scripts/setup.php /pma/
/%2570hpmyadmin/ /any/%2e%2e/phpmyadmin/ /phpmyadmin%2Findex.php""".split()


class Walker(threading.Thread):
    """One client of the balancer's: asks at an even pace and notes each answer under its number."""

    def __init__(self, address, client, paths, interval, until):
        super().__init__()
        self.connection = Client(address)
        self.fields = [("Host", "www.example.jp"), ("X-Forwarded-For", client)]
        self.client, self.paths, self.interval, self.until = client, itertools.cycle(paths), interval, until
        self.answers = {}
        self.times = []
        self.error = None

    def run(self):
        try:
            for number in itertools.count():
                due = number * self.interval
                if due >= SECONDS:
                    return
                time.sleep(max(0.0, self.until - SECONDS + due - time.monotonic()))
                self.times.append(time.monotonic())
                target = f"{next(self.paths)}?client={self.client}&number={number}"
                response = self.connection.request("GET", target, self.fields)
                self.answers[number] = response
                if response.closes:  # puma may end a connection of its own; Sekisho should not pass that on
                    raise AssertionError(f"connection closed after {response.status}")
        except BaseException as error:
            self.error = error


class ScanTest(unittest.TestCase):
    def test_a_minute_of_scanning(self):
        puma = self.enterContext(Puma())
        sekisho = self.enterContext(Sekisho(puma.upstream, SETTINGS)).wait_upstream()
        end = time.monotonic() + SECONDS
        scanner = Walker(sekisho.address, "203.0.113.66", VARIANTS, 60 / PER_MINUTE, end)
        reader = Walker(sekisho.address, "198.51.100.7", ["/", "/up", "/api/articles", "/form"], 0.3, end)
        for walker in (scanner, reader):
            walker.start()
        for walker in (scanner, reader):
            walker.join()
            self.assertIsNone(walker.error)

        allowed = {number for number, answer in scanner.answers.items() if answer.status not in (403, 429)}
        refused = set(scanner.answers) - allowed
        expected = BURST + int((scanner.times[-1] - scanner.times[0]) * RATE / 60)
        self.assertAlmostEqual(len(allowed), expected, delta=1)
        self.assertEqual(set(scanner.answers[number].status for number in refused), {429})
        for number in refused:
            self.assertLessEqual(1, int(scanner.answers[number].get("Retry-After")))
            self.assertLessEqual(int(scanner.answers[number].get("Retry-After")), 60 // RATE)
            self.assertEqual(scanner.answers[number].get("Cache-Control"), "no-store")

        self.assertEqual({answer.status for answer in reader.answers.values()}, {200})

        reached = {"203.0.113.66": [], "198.51.100.7": []}
        for line in puma.requests():
            if line["query"].startswith("client="):
                client, number = line["query"].removeprefix("client=").split("&number=")
                self.assertEqual(line["fields"]["HTTP_X_FORWARDED_FOR"], client)
                reached[client].append(int(number))
        self.assertEqual(sorted(reached["203.0.113.66"]), sorted(allowed), "what puma saw of the scan")
        self.assertEqual(sorted(reached["198.51.100.7"]), sorted(reader.answers), "what puma saw of the reader")

        limited = sekisho.metric("sekisho_limit_decisions_total", limit="scan", decision="limited")
        self.assertEqual(limited, len(refused))
        self.assertEqual(sekisho.metric("sekisho_requests_total", outcome="limited"), len(refused))
        print(f"scan: {len(scanner.answers)} requests in {SECONDS:.0f} s, {len(allowed)} passed, the limit allows {expected}")


if __name__ == "__main__":
    unittest.main(verbosity=2)
