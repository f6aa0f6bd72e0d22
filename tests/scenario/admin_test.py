"""The admin port, the metrics and the commands that ask the running proxy."""

import json
import signal
import unittest

from support.http_client import Client, fetch
from support.load import Load
from support.process import free_port, wait_until
from support.sekisho import Origin, Sekisho, run_command

SETTINGS = """
hosts: [www.example.jp]
limits:
  - {name: probes, match: {paths: builtin:probes}, block: true}
  - {name: slow-door, match: {paths: [/door]}, rate: 1/h, burst: 2}
  - {name: watched, match: {paths: [/watched]}, rate: 1/h, burst: 1, shadow: true}
"""
HOST = [("Host", "www.example.jp")]


class AdminTest(unittest.TestCase):
    def setUp(self):
        self.origin = self.enterContext(Origin())
        self.sekisho = self.enterContext(Sekisho(self.origin.upstream, SETTINGS, workers=2)).wait_upstream()

    def test_every_request_is_counted_exactly_once(self):
        address = self.sekisho.address
        sent = {"proxied": 0, "limited": 0, "blocked": 0, "host_rejected": 0, "bad_request": 0, "probe": 0}

        def ask(outcome, target, status, fields=(), method="GET"):
            sent[outcome] += 1
            self.assertEqual(client.request(method, target, [*HOST, *fields]).status, status)

        with Client(address) as client:
            for _ in range(30):
                ask("proxied", "/", 200)
            ask("proxied", "/status/404", 404)
            ask("proxied", "/door", 200)
            ask("proxied", "/door", 200)
            for _ in range(5):
                ask("limited", "/door", 429)
            for _ in range(7):
                ask("blocked", "/phpmyadmin/", 403)
            for _ in range(3):
                ask("proxied", "/watched", 200)
            for _ in range(4):
                sent["host_rejected"] += 1
                self.assertEqual(client.request("GET", "/", [("Host", "10.1.2.3")]).status, 421)
            for _ in range(2):
                sent["probe"] += 1
                self.assertEqual(client.request("GET", "/healthz", [("Host", "10.1.2.3")]).status, 200)
        for _ in range(3):
            sent["bad_request"] += 1
            with Client(address) as client:
                client.send(b"nonsense\r\n\r\n")
                self.assertEqual(client.response().status, 400)
        with Load(address, threads=4, fields=HOST) as load:
            wait_until(lambda: load.answered > 500, "the load runs")
        sent["proxied"] += load.answered

        for outcome, count in sent.items():
            wait_until(lambda: self.sekisho.metric("sekisho_requests_total", outcome=outcome) >= count, outcome)
            self.assertEqual(self.sekisho.metric("sekisho_requests_total", outcome=outcome), count, outcome)
        self.assertEqual(self.sekisho.metric("sekisho_requests_total"), sum(sent.values()))
        self.assertEqual(self.sekisho.metric("sekisho_responses_total"), sum(sent.values()))
        self.assertEqual(self.sekisho.metric("sekisho_responses_total", source="upstream"), sent["proxied"])
        decisions = {
            ("probes", "blocked"): 7,
            ("slow-door", "allowed"): 2,
            ("slow-door", "limited"): 5,
            ("watched", "allowed"): 1,
            ("watched", "shadow"): 2,
        }
        for (limit, decision), count in decisions.items():
            got = self.sekisho.metric("sekisho_limit_decisions_total", limit=limit, decision=decision)
            self.assertEqual(got, count, (limit, decision))
        logged = sum(sent.values()) - sent["probe"]
        lines = wait_until(lambda: len(self.sekisho.access_log()) >= logged and self.sekisho.access_log(), "all lines")
        outcomes = {}
        for line in lines:
            outcomes[line["outcome"]] = outcomes.get(line["outcome"], 0) + 1
        self.assertEqual(outcomes, {outcome: count for outcome, count in sent.items() if outcome != "probe"})
        self.assertEqual([line["limit"] for line in lines if line["outcome"] == "limited"], ["slow-door"] * 5)
        self.assertEqual([line["shadow"] for line in lines if line["path"] == "/watched"][1:], [["watched"]] * 2)

    def test_metrics_page(self):
        page = self.sekisho.ask("/metrics")
        self.assertEqual(page.status, 200)
        self.assertTrue(page.get("Content-Type").startswith("text/plain"))
        names = """requests_total responses_total limit_decisions_total refused_clients request_duration_seconds upstream_duration_seconds
            request_bytes_total response_bytes_total client_connections upstream_connections connections_refused_total
            tunnels_active buffer_bytes upstream_in_flight upstream_queue_length upstream_errors_total upstream_retries_total
            upstream_healthy table_capacity table_clients table_evictions_total bans_active config_reloads_total
            config_last_reload_successful config_last_reload_success_timestamp_seconds access_log_dropped_total build_info""".split()
        for name in names:
            self.assertIn(f"\n# TYPE sekisho_{name} ", "\n" + page.text)
        self.assertIn("\nprocess_resident_memory_bytes ", page.text)

    def test_health_ready_status(self):
        self.assertEqual(self.sekisho.ask("/healthz").status, 200)
        self.assertEqual(self.sekisho.ask("/readyz").status, 200)
        status = json.loads(self.sekisho.ask("/status").body)
        self.assertIn("version", status)
        self.assertIn("uptime", "".join(status))
        self.assertEqual(self.sekisho.ask("/nothing").status, 404)
        self.assertEqual(self.sekisho.ask("/reload").status, 405)
        self.assertEqual(fetch(self.sekisho.admin, "/status", fields=[("Host", "rebound.example")]).status, 421)

    def test_ready_follows_the_upstream(self):
        self.origin.stop()
        wait_until(lambda: self.sekisho.ask("/readyz").status == 503, "not ready without an upstream", 20)
        self.assertEqual(self.sekisho.ask("/healthz").status, 200)
        self.assertEqual(run_command("healthcheck", "-c", self.sekisho.config_path).returncode, 0)
        self.assertEqual(run_command("healthcheck", "--ready", "-c", self.sekisho.config_path).returncode, 1)
        self.enterContext(Origin(port=self.origin.address[1]))
        wait_until(lambda: self.sekisho.ask("/readyz").status == 200, "ready again", 20)
        self.assertEqual(run_command("healthcheck", "--ready", "-c", self.sekisho.config_path).returncode, 0)

    def test_reload_over_the_admin_port(self):
        self.assertNotEqual(fetch(self.sekisho.admin, "/reload", "POST", body=b"").status, 200)
        header = [("X-Sekisho", "1")]
        self.sekisho.configure("limits: [{name: gate, match: {paths: [/]}, block: true}]\n")
        self.assertEqual(fetch(self.sekisho.admin, "/reload", "POST", header, b"").status, 200)
        self.assertEqual(fetch(self.sekisho.address, "/", fields=HOST).status, 403)
        self.sekisho.configure("limits: [{name: gate, rte: 5/s}]\n")
        refused = fetch(self.sekisho.admin, "/reload", "POST", header, b"")
        self.assertEqual(refused.status, 422)
        self.assertIn("rte", refused.text)
        done = run_command("reload", "-c", self.sekisho.config_path)
        self.assertEqual(done.returncode, 1)
        self.assertIn("rte", done.stdout + done.stderr)

    def test_commands(self):
        done = run_command("status", "-c", self.sekisho.config_path)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn(self.origin.upstream, done.stdout)
        self.sekisho.signal(signal.SIGKILL)
        self.sekisho.child.wait()
        for command in (["status"], ["reload"], ["healthcheck"]):
            done = run_command(*command, "-c", self.sekisho.config_path)
            self.assertEqual(done.returncode, 1, command)
            self.assertIn(str(self.sekisho.admin_port), done.stderr, command)

    def test_token(self):
        port = free_port()
        settings = f'admin: {{listen: "127.0.0.1:{port}", token: "${{TOKEN}}"}}\n'
        sekisho = self.enterContext(Sekisho(self.origin.upstream, settings, {"TOKEN": "secret"}, admin_port=port))
        header = [("X-Sekisho", "1")]
        self.assertEqual(fetch(sekisho.admin, "/reload", "POST", header, b"").status, 401)
        wrong = [*header, ("Authorization", "Bearer secre")]
        self.assertEqual(fetch(sekisho.admin, "/reload", "POST", wrong, b"").status, 401)
        right = [*header, ("Authorization", "Bearer secret")]
        self.assertEqual(fetch(sekisho.admin, "/reload", "POST", right, b"").status, 200)


if __name__ == "__main__":
    unittest.main(verbosity=2)
