"""Tasks that share the traffic: a number of them, and a name whose addresses are counted while the proxy runs."""

import json
import os
import tempfile
import unittest

from support.http_client import Client
from support.process import wait_until
from support.sekisho import Origin, Sekisho, run_command

NAME = "app.shop.internal"
LIMITS = """
limits:
  - {name: shared, match: {paths: [/shared]}, rate: 40/h}
  - {name: floor, match: {paths: [/floor]}, rate: 60/h, burst: 8}
  - {name: small, match: {paths: [/small]}, rate: 3/h}
  - {name: alone, match: {paths: [/alone]}, rate: 40/h, per: task}
  - {name: banning, match: {paths: [/banning]}, rate: 1/h, ban: {after: 4, within: 1h, for: 1h, scope: match}}
"""


class Names:
    """What the C library's resolver answers in a process started with `environment`: a hosts file of the test's own."""

    def __init__(self, test):
        folder = test.enterContext(tempfile.TemporaryDirectory(prefix="sekisho-test-"))
        self.path = os.path.join(folder, "hosts")
        self.environment = {
            "LD_PRELOAD": "libnss_wrapper.so",
            "NSS_WRAPPER_HOSTS": self.path,
            "NSS_WRAPPER_DISABLE_DEEPBIND": "1",  # which the sanitizers refuse
        }
        # The sanitizers' libraries are not the first to be loaded then, and do not know the wrapper's locks.
        for name, option in (("ASAN_OPTIONS", "verify_asan_link_order=0"), ("TSAN_OPTIONS", "report_mutex_bugs=0")):
            self.environment[name] = ":".join(filter(None, [os.environ.get(name), option]))
        self.written = 0
        self.set([])

    def set(self, addresses):
        with open(self.path + ".new", "w", encoding="ascii") as file:
            file.write("127.0.0.1 localhost\n" + "".join(f"{address} {NAME}\n" for address in addresses))
        # A later second each time: by that the library sees that the file is another one.
        self.written += 1
        os.utime(self.path + ".new", (self.written, self.written))
        os.rename(self.path + ".new", self.path)


def addresses(count):
    return [f"10.0.0.{number}" for number in range(1, count + 1)]


class FleetTest(unittest.TestCase):
    def setUp(self):
        self.origin = self.enterContext(Origin())

    def proxy(self, settings, environment=None):
        return self.enterContext(Sekisho(self.origin.upstream, settings, environment)).wait_upstream()

    def admitted(self, sekisho, path, client="203.0.113.1", requests=50):
        """How many of that client's requests passed, and the last answer."""
        passed = 0
        with Client(sekisho.address) as connection:
            for _ in range(requests):
                response = connection.request("GET", path, [("X-Forwarded-For", client)])
                self.assertIn(response.status, (200, 429))
                passed += response.status == 200
        return passed, response

    def fleet(self, sekisho):
        return json.loads(sekisho.ask("/status").text)["fleet"]

    def counted(self, sekisho, tasks):
        wait_until(lambda: self.fleet(sekisho)["tasks"] == tasks, f"{tasks} tasks are counted", 40)

    def test_a_number(self):
        sekisho = self.proxy("fleet: {tasks: 4}\n" + LIMITS)
        passed, refused = self.admitted(sekisho, "/shared")
        self.assertEqual(passed, 10)
        self.assertEqual(refused.get("RateLimit-Policy"), '"shared";q=10;w=3600')
        self.assertGreater(int(refused.get("Retry-After")), 300, "one comes back in 4 times 90 s")
        self.assertEqual(self.admitted(sekisho, "/floor")[0], 5)
        self.assertEqual(self.admitted(sekisho, "/small")[0], 3)
        passed, refused = self.admitted(sekisho, "/alone")
        self.assertEqual(passed, 40)
        self.assertEqual(refused.get("RateLimit-Policy"), '"alone";q=40;w=3600')
        self.admitted(sekisho, "/banning", requests=5)
        self.assertEqual(sekisho.metric("sekisho_bans_active", limit="banning"), 1, "its first four refusals ban")
        self.assertEqual(sekisho.metric("sekisho_limit_decisions_total", limit="banning", decision="limited"), 4)
        self.assertEqual(self.fleet(sekisho), {"tasks": 4})
        # Another number by a reload: what each client has spent stays spent.
        sekisho.configure("fleet: {tasks: 2}\n" + LIMITS)
        self.assertTrue(sekisho.reload())
        self.assertEqual(self.admitted(sekisho, "/shared")[0], 10, "20 less the 10 that it had")
        self.assertEqual(self.admitted(sekisho, "/shared", "203.0.113.2")[0], 20)
        self.assertEqual(self.admitted(sekisho, "/alone")[0], 0)

    def test_a_name_whose_addresses_come_and_go(self):
        names = Names(self)
        names.set(addresses(2))
        sekisho = self.proxy(f"fleet: {{tasks: dns:{NAME}}}\n{LIMITS}", names.environment)
        self.assertEqual(self.admitted(sekisho, "/shared", "203.0.113.2")[0], 20, "counted before the first request")
        self.assertEqual(self.fleet(sekisho), {"tasks": 2, "name": NAME, "counted": True, "problem": ""})

        names.set([*addresses(4), "10.0.0.4", "2001:db8::1"])
        self.counted(sekisho, 4)
        passed, refused = self.admitted(sekisho, "/shared", "203.0.113.4")
        self.assertEqual(passed, 10)
        self.assertEqual(refused.get("RateLimit-Policy"), '"shared";q=10;w=3600')
        self.assertEqual(self.admitted(sekisho, "/shared", "203.0.113.2")[0], 0, "what was spent stays spent")
        self.assertEqual(self.admitted(sekisho, "/alone")[0], 40)
        self.assertEqual(self.admitted(sekisho, "/floor")[0], 5)

        names.set([])
        wait_until(lambda: self.fleet(sekisho)["problem"], "a look-up fails", 40)
        wait_until(lambda: [e for e in sekisho.events("fleet") if e["level"] == "warning"], "the log says it")
        self.assertEqual(self.fleet(sekisho)["tasks"], 4)
        self.assertEqual(self.admitted(sekisho, "/shared", "203.0.113.5")[0], 10)
        sekisho.configure(f"fleet: {{tasks: dns:{NAME}}}\n{LIMITS}  - {{name: new, match: {{paths: [/new]}}, rate: 80/h}}\n")
        self.assertTrue(sekisho.reload())
        self.assertEqual(self.admitted(sekisho, "/new")[0], 20, "a reload knows the number too")
        self.assertEqual(self.admitted(sekisho, "/shared", "203.0.113.5")[0], 0)

        names.set(addresses(1))
        self.counted(sekisho, 1)
        self.assertEqual(self.admitted(sekisho, "/shared", "203.0.113.6")[0], 40)
        self.assertEqual(self.admitted(sekisho, "/shared", "203.0.113.4")[0], 30, "40 less the 10 that it had")
        said = [event["tasks"] for event in sekisho.events("fleet") if event["level"] == "info"]
        self.assertEqual(said, [2, 4, 1])

    def test_until_it_is_answered_for_the_limits_are_whole(self):
        names = Names(self)
        sekisho = self.proxy(f"fleet: {{tasks: dns:{NAME}}}\n{LIMITS}", names.environment)
        self.assertEqual(self.admitted(sekisho, "/shared")[0], 40)
        fleet = self.fleet(sekisho)
        self.assertEqual((fleet["tasks"], fleet["counted"]), (1, False))
        self.assertIn("not known", fleet["problem"])
        self.assertIn("until there is a first answer", sekisho.events("fleet")[0]["message"])
        names.set(addresses(2))
        self.counted(sekisho, 2)
        self.assertEqual(self.admitted(sekisho, "/shared", "203.0.113.2")[0], 20)

    def test_check_tells_the_share(self):
        names = Names(self)
        text = f"upstream: 127.0.0.1:3000\nfleet: {{tasks: dns:{NAME}}}\n{LIMITS}"
        found = run_command("check", "-c", "-", stdin=text, environment=names.environment)
        self.assertEqual(found.returncode, 0, found.stdout)
        self.assertIn(f"while running they are divided by the addresses of {NAME}", found.stdout)
        names.set(addresses(4))
        found = run_command("check", "-c", "-", stdin=text, environment=names.environment)
        self.assertIn(f"divided by the addresses of {NAME}, now 4", found.stdout)

    def test_a_table_of_its_own_size(self):
        sekisho = self.proxy(
            "table: {capacity: 5000}\nlimits:\n  - {name: narrow, rate: 1/h, burst: 9, capacity: 64}\n  - {name: wide, rate: 9/h}\n"
        )
        capacity = {limit: sekisho.metric("sekisho_table_capacity", limit=limit) for limit in ("narrow", "wide")}
        self.assertEqual(capacity, {"narrow": 64, "wide": 5000})
        with Client(sekisho.address) as client:
            for number in range(500):
                field = ("X-Forwarded-For", f"198.51.{100 + number // 250}.{number % 250}")
                self.assertEqual(client.request("GET", "/", [field]).status, 200)
        self.assertGreater(sekisho.metric("sekisho_table_evictions_total", limit="narrow"), 300)
        self.assertEqual(sekisho.metric("sekisho_table_evictions_total", limit="wide"), 0)


if __name__ == "__main__":
    unittest.main()
