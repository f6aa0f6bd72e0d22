"""Who talks most: /top and `sekisho top` after real traffic over several workers, and the metric refused_clients."""

import json
import signal
import unittest

from support.http_client import Client, fetch
from support.hung_thread import HungThread
from support.process import wait_until
from support.sekisho import Origin, Sekisho, run_command

SETTINGS = """
hosts: [www.example.jp]
limits:
  - {name: probes, match: {paths: builtin:probes}, block: true}
  - {name: door, match: {paths: [/door]}, rate: 1/h, burst: 1}
  - {name: watched, match: {paths: [/watched]}, block: true, shadow: true}
"""
WORKERS = 3


class TopTest(unittest.TestCase):
    def setUp(self):
        self.origin = self.enterContext(Origin())
        self.sekisho = self.enterContext(Sekisho(self.origin.upstream, SETTINGS, workers=WORKERS)).wait_upstream()
        # Open at once, each goes to the worker that has fewest.
        self.clients = [self.enterContext(Client(self.sekisho.address)) for _ in range(2 * WORKERS)]
        self.sent = 0

    def send(self, target, address, status, times=1, host="www.example.jp"):
        """The same request over one connection after the other, and so over all workers."""
        for _ in range(times):
            client = self.clients[self.sent % len(self.clients)]
            fields = [("Host", host), ("X-Forwarded-For", f"192.0.2.99, {address}")]
            self.assertEqual(client.request("GET", target, fields).status, status)
            self.sent += 1

    def top(self, query=""):
        """The document, once every request sent is in it: a request counts when it is over."""

        def read():
            answer = self.sekisho.ask(f"/top{query}")
            self.assertEqual((answer.status, answer.get("Content-Type")), (200, "application/json"))
            document = json.loads(answer.body)
            return document if document["requests"] >= self.sent else None

        document = wait_until(read, "all requests are told")
        self.assertEqual(document["requests"], self.sent)
        return document

    def test_names_the_scanner_and_the_busy_path(self):
        for number in range(40):
            self.send("/busy?number=%d" % number, f"198.51.100.{number}", 200)
        self.send("/phpMyAdmin//index.php", "203.0.113.66", 403, 31)
        self.send("/", "203.0.113.66", 200, 2)
        self.send("/feed", "2001:db8:1:2::7", 200, 4)
        self.send("/feed", "2001:db8:1:2:ffff::8", 200, 5)
        self.send("/", "203.0.113.77", 421, 3, host="other.example")
        document = self.top()
        self.assertEqual((document["workers"], document["answered"]), (WORKERS, WORKERS))
        self.assertEqual(document["refusals"], 34)
        self.assertLess(document["window_seconds"], 301)

        def entry(what, text, requests, refusals):
            return {what: text, "requests": requests, "requests_error": 0, "refusals": refusals, "refusals_error": 0}

        scanner = entry("client", "203.0.113.66", 33, 31)
        other_host = entry("client", "203.0.113.77", 3, 3)
        clients, paths = document["clients"], document["paths"]
        self.assertEqual(clients["requests"][:3], [scanner, entry("client", "2001:db8:1:2::/64", 9, 0), other_host])
        self.assertEqual(len(clients["requests"]), 10)
        self.assertEqual(clients["refusals"], [scanner, other_host])
        probe = entry("path", "/phpMyAdmin/index.php", 31, 31)
        front = entry("path", "/", 5, 3)
        self.assertEqual(paths["requests"], [entry("path", "/busy", 40, 0), probe, entry("path", "/feed", 9, 0), front])
        self.assertEqual(paths["refusals"], [probe, front])

        self.assertEqual(self.top("?n=1")["clients"]["requests"], [scanner])
        self.assertEqual(len(self.top("?n=100")["clients"]["requests"]), 43)
        for wrong in ("?n=0", "?n=101", "?n=", "?n=-1", "?n=1x", "?n=99999999999999999999", "?format=xml"):
            self.assertEqual(self.sekisho.ask(f"/top{wrong}").status, 400, wrong)

        done = run_command("top", "-c", self.sekisho.config_path)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        lines = [line.split() for line in done.stdout.splitlines()]
        self.assertIn(f"{self.sent} requests, 34 refused", done.stdout)
        self.assertEqual(lines.count(["33", "31", "203.0.113.66"]), 2)
        self.assertEqual(lines.count(["40", "0", "/busy"]), 1)
        self.assertIn(["9", "0", "2001:db8:1:2::/64"], lines)
        done = run_command("top", "--json", "-n", "1", "-c", self.sekisho.config_path)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(json.loads(done.stdout)["clients"]["requests"], [scanner])
        for wrong in (["-n", "0"], ["-n", "101"], ["-n", "x"], ["now"]):
            self.assertEqual(run_command("top", *wrong, "-c", self.sekisho.config_path).returncode, 2, wrong)

    def test_nobody_answers(self):
        self.sekisho.signal(signal.SIGKILL)
        self.sekisho.child.wait()
        done = run_command("top", "-c", self.sekisho.config_path)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn(str(self.sekisho.admin_port), done.stderr)

    def test_bytes_of_clients_do_no_harm(self):
        self.send("/%1b%5d0;%1b%5d0%3bowned%07%e2%80%ae%c2%9b31m%22%5c%0aspoofed%00%ff", "198.51.100.7", 200)
        self.send("/%22,%22requests%22:[%7b", "198.51.100.7", 200)
        self.send("/long/" + "x" * 5000, "198.51.100.7", 200)
        document = self.top()
        told = [entry["path"] for entry in document["paths"]["requests"]]
        self.assertIn('/","requests":[{', told)
        self.assertIn("/long/" + "x" * 122, told)
        self.assertEqual(len(told), 3)
        raw = self.sekisho.ask("/top").body
        self.assertFalse([byte for byte in raw if byte < 0x20 and byte != 0x0A or byte == 0x7F])
        for command in (["top"], ["top", "--json"]):
            shown = run_command(*command, "-c", self.sekisho.config_path).stdout
            self.assertIn("x" * 122, shown)
            self.assertFalse([c for c in shown if c < " " and c != "\n" or "\x7f" <= c < "\xa0"], command)
        table = run_command("top", "-c", self.sekisho.config_path).stdout
        self.assertTrue(table.isascii())

    def test_refused_clients_are_told_apart(self):
        def refused(limit):
            return self.sekisho.metric("sekisho_refused_clients", limit=limit)

        self.assertEqual([refused(limit) for limit in ("probes", "door", "watched")], [0, 0, 0])
        addresses = [f"198.51.100.{number}" for number in range(100)]
        for address in addresses:
            self.send("/door", address, 200)
        self.assertEqual(refused("door"), 0)
        for _ in range(3):  # over other workers each time
            for address in addresses[:70]:
                self.send("/door", address, 429)
            self.send("/", "198.51.100.250", 200)
        for number in range(5):
            self.send("/.env", f"203.0.113.{number}", 403, 2)
        self.send("/watched", "203.0.113.9", 200, 2)
        self.assertEqual([refused(limit) for limit in ("probes", "door", "watched")], [5, 70, 0])
        self.assertNotIn("198.51.100", self.sekisho.ask("/metrics").text)
        # A reload keeps them, as it keeps buckets.
        self.assertTrue(self.sekisho.reload())
        self.assertEqual(refused("door"), 70)

    def test_a_worker_that_hangs_is_said(self):
        self.send("/", "198.51.100.7", 200, 12)
        self.top()
        with HungThread(self.sekisho.child.pid):
            document = json.loads(fetch(self.sekisho.admin, "/top").body)
            self.assertEqual((document["workers"], document["answered"]), (WORKERS, WORKERS - 1))
            self.assertLess(document["requests"], 12)
        self.assertEqual(self.top()["answered"], WORKERS)


if __name__ == "__main__":
    unittest.main(verbosity=2)
