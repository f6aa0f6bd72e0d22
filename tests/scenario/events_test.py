"""What stderr tells unasked: a bound that was reached, a ban that is over. Soon, and not once for each client."""

import json
import tempfile
import unittest

from support.http_client import fetch
from support.process import connect, wait_until
from support.sekisho import Origin, Sekisho


class EventsTest(unittest.TestCase):
    def setUp(self):
        self.origin = self.enterContext(Origin())

    def start(self, settings):
        return self.enterContext(Sekisho(self.origin.upstream, settings, workers=2)).wait_upstream()

    def test_connections_refused_at_the_bound_are_told_once(self):
        sekisho = self.start("client: {max_connections: 5}\n")
        # Connections are accepted in order: with this one answered, none that saw it start can come later.
        self.assertEqual(fetch(sekisho.address, "/").status, 200)
        wait_until(lambda: sekisho.metric("sekisho_client_connections") == 0, "those that saw it start are gone")
        for _ in range(20):
            self.enterContext(connect(sekisho.address))
        wait_until(lambda: sekisho.metric("sekisho_connections_refused_total") == 15, "the bound holds")
        told = wait_until(lambda: sekisho.events("connections_refused"), "the log says so")
        self.assertEqual([(event["level"], event["max_connections"]) for event in told], [("warning", 5)])

    def test_a_ban_that_ended_is_told_within_moments(self):
        sekisho = self.start("limits: [{name: door, match: {paths: [/door]}, block: true, ban: {for: 1s}}]\n")
        self.assertEqual(fetch(sekisho.address, "/door").status, 403)
        # Long before the sweep of the tables, which comes 20 s after the start.
        told = wait_until(lambda: sekisho.events("unban"), "the log says so", 5)
        self.assertEqual([(event["limit"], event["reason"]) for event in told], [("door", "expired")])
        self.assertEqual([event["event"] for event in sekisho.events() if "ban" in event["event"]], ["ban", "unban"])
        self.assertEqual(fetch(sekisho.address, "/").status, 200)

    def test_a_ban_is_told_before_it_is_lifted(self):
        sekisho = self.start("limits: [{name: door, match: {paths: [/door]}, block: true, ban: 1h}]\n")
        for _ in range(5):  # at once, before the log's next turn
            self.assertEqual(fetch(sekisho.address, "/door").status, 403)
            lifted = fetch(sekisho.admin, "/bans?client=127.0.0.1", "DELETE", fields=[("X-Sekisho", "1")])
            self.assertEqual(lifted.status, 200)
        told = wait_until(lambda: [e for e in sekisho.events() if "ban" in e["event"]][9:] and sekisho.events(), "all are told")
        self.assertEqual([event["event"] for event in told if "ban" in event["event"]], ["ban", "unban"] * 5)
        self.assertEqual({event["reason"] for event in told if event["event"] == "unban"}, {"lifted"})

    def test_old_ranges_of_proxies_are_told_at_start(self):
        ranges = self.enterContext(tempfile.NamedTemporaryFile("w", suffix=".json"))
        json.dump({"createDate": "2019-01-01-00-00-00", "prefixes": [{"service": "X", "ip_prefix": "10.1.0.0/16"}]}, ranges)
        ranges.flush()
        sekisho = self.start(f"client_ip: {{trusted_proxies: [loopback, {{aws_ip_ranges: {ranges.name}, service: X}}]}}\n")
        told = [event["message"] for event in sekisho.events("config_warning")]
        self.assertEqual(len([message for message in told if "published on 2019-01-01" in message]), 1, told)


if __name__ == "__main__":
    unittest.main(verbosity=2)
