"""SIGHUP under load, with good and broken files: no request fails, no bucket is forgotten, each file is taken whole or not at all."""

import unittest

from support.http_client import Client, fetch
from support.hung_thread import HungThread
from support.load import Load
from support.process import wait_until
from support.sekisho import Origin, Sekisho, run_command


def settings(version):
    """A file whose version shows in the status that /gate gets."""
    return f"""
limits:
  - {{name: gate, match: {{paths: [/gate]}}, block: true, action: {450 + version}}}
  - {{name: debt, match: {{paths: [/debt]}}, rate: {6 + version}/h, burst: 2}}
  - {{name: per-client, rate: {100000 + version}/s}}
"""


BROKEN = [
    "limits: [{name: x, rate: 5}]\n",
    "limits: [\n",
    "lmits: []\n",
    "limits: [{name: x}]\nhosts: 5: 6\n",
    "workers: 3\nlimits: []\nworkers: 3\n",
]
DEBTOR = [("X-Forwarded-For", "203.0.113.5")]


class ReloadTest(unittest.TestCase):
    def setUp(self):
        self.origin = self.enterContext(Origin())
        self.sekisho = self.enterContext(Sekisho(self.origin.upstream, settings(0), workers=2)).wait_upstream()

    def gate(self):
        return fetch(self.sekisho.address, "/gate", fields=[("X-Forwarded-For", "203.0.113.9")]).status

    def debt(self):
        return fetch(self.sekisho.address, "/debt", fields=DEBTOR).status

    def test_ten_reloads_under_load(self):
        self.assertEqual([self.debt() for _ in range(3)], [200, 200, 429])
        with Load(self.sekisho.address, threads=4) as kept, Load(self.sekisho.address, threads=2, fresh=True) as fresh:
            version = 0
            for turn in range(10):
                before = kept.answered
                wait_until(lambda: kept.answered > before + 50, "the load goes on")
                good = turn % 2 == 0
                if good:
                    version = turn + 1
                    self.sekisho.configure(settings(version))
                else:
                    self.sekisho.configure(BROKEN[turn // 2])
                self.assertEqual(self.sekisho.reload(), good, f"reload {turn}")
                self.assertEqual(self.gate(), 450 + version)
                self.assertEqual(self.debt(), 429, f"the debt was forgotten at reload {turn}")
            kept.stop()
            fresh.stop()
        for load in (kept, fresh):
            self.assertEqual(set(load.codes), {200})
            self.assertEqual((load.lost, load.resets, load.refused), ([], 0, 0))
        self.assertEqual(kept.told_to_close, 0)
        self.assertEqual(self.sekisho.metric("sekisho_config_reloads_total", result="failure"), 5)
        self.assertGreaterEqual(self.sekisho.metric("sekisho_config_reloads_total", result="success"), 5)
        self.assertEqual(self.sekisho.metric("sekisho_config_last_reload_successful"), 0)

    def test_what_is_charged_while_the_file_is_read_is_charged_by_the_old_rate(self):
        limit = "limits:\n  - {{name: turned, rate: {rate}, burst: {burst}}}\n"
        self.sekisho.configure(limit.format(rate="100000/s", burst=100000))
        self.assertTrue(self.sekisho.reload())
        # Patterns that take a while to be made ready: at the old rate thousands of tokens come back in that time.
        patterns = "".join(f"      - '~^/(a|b)[0-9]+/{number}'\n" for number in range(20000))
        self.sekisho.configure(
            limit.format(rate="1/h", burst=1000) + "  - name: many\n    block: true\n    match:\n     paths:\n" + patterns
        )
        with Load(self.sekisho.address, threads=1, fields=DEBTOR, pause=0.002) as load:
            wait_until(lambda: load.answered > 20, "the load goes on")
            self.assertTrue(self.sekisho.reload())
            after = load.answered
            wait_until(lambda: load.answered > after + 20, "the load goes on")
        self.assertEqual(set(load.codes), {200})

    def test_a_connection_lives_on_and_takes_up_the_new_file(self):
        with Client(self.sekisho.address) as client:
            self.assertEqual(client.request("GET", "/gate").status, 450)
            self.sekisho.configure(settings(7))
            self.assertTrue(self.sekisho.reload())
            self.assertEqual(client.request("GET", "/gate").status, 457)
            self.assertEqual(client.request("GET", "/").status, 200)

    def test_another_server_named_or_numbered_costs_no_request(self):
        probe = [("Host", "10.0.0.7"), ("User-Agent", "ELB-HealthChecker/2.0")]
        port = self.origin.address[1]
        probes = []
        with Load(self.sekisho.address, threads=2) as load:
            for turn in range(6):
                before = load.answered
                wait_until(lambda: load.answered > before + 50, "the load goes on")
                with open(self.sekisho.config_path, encoding="utf-8") as file:
                    text = file.read()
                names = ("127.0.0.1", "localhost") if turn % 2 == 0 else ("localhost", "127.0.0.1")
                with open(self.sekisho.config_path, "w", encoding="utf-8") as file:
                    file.write(text.replace(f'"{names[0]}:{port}"', f'"{names[1]}:{port}"'))
                self.assertTrue(self.sekisho.reload())
                probes.append(fetch(self.sekisho.address, "/healthz", fields=probe).status)
            load.stop()
        self.assertEqual((set(load.codes), load.lost, load.resets), ({200}, [], 0))
        self.assertEqual(set(probes), {200})

    def test_a_worker_that_hangs_takes_the_file_up_when_it_comes_back(self):
        clients = [self.enterContext(Client(self.sekisho.address)) for _ in range(2)]  # one for each worker
        for client in clients:
            self.assertEqual(client.request("GET", "/gate").status, 450)
        self.sekisho.configure(settings(7))
        with HungThread(self.sekisho.child.pid):
            answer = self.sekisho.ask("/reload", "POST", [("X-Sekisho", "1")])
            self.assertEqual(answer.status, 422)
            self.assertIn("worker 1 does not turn its loop", answer.text)
        for client in clients:
            wait_until(lambda: client.request("GET", "/gate").status == 457, "its worker has the new file")

    def test_the_log_says_why_a_file_was_refused(self):
        self.sekisho.configure("limits: [{name: x, rate: 5/s, brst: 3}]\n")
        self.assertFalse(self.sekisho.reload())
        text = wait_until(lambda: "brst" in self.sekisho.err() and self.sekisho.err(), "the log names the key")
        self.assertIn("burst", text)

    def test_reload_command(self):
        self.sekisho.configure(settings(3))
        done = run_command("reload", "-c", self.sekisho.config_path)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.gate(), 453)

    def test_what_needs_a_restart_is_refused_whole(self):
        self.sekisho.configure("limits: [{name: gate, match: {paths: [/gate]}, block: true, action: 499}]\n")
        with open(self.sekisho.config_path, encoding="utf-8") as file:
            text = file.read()
        with open(self.sekisho.config_path, "w", encoding="utf-8") as file:
            file.write(text.replace("workers: 2", "workers: 1"))
        self.assertFalse(self.sekisho.reload())
        self.assertEqual(self.gate(), 450)
        told = "sekisho.yaml:2:10: a change of `workers` needs a restart"
        wait_until(lambda: told in self.sekisho.err(), "the log says that it needs a restart")

    def test_what_needs_a_restart_is_told_with_the_other_problems(self):
        for limit, problem in (("rate: 5/s, brst: 3", "burst"), ("rate: 5/s, match: {paths: ['~(']}", "~(")):
            self.sekisho.configure(f"metrics: 127.0.0.1:1\nlimits: [{{name: x, {limit}}}]\n")
            answer = self.sekisho.ask("/reload", "POST", [("X-Sekisho", "1")])
            self.assertEqual(answer.status, 422)
            self.assertIn("sekisho.yaml:5:10: a change of `metrics` needs a restart", answer.text)
            self.assertIn(problem, answer.text)


if __name__ == "__main__":
    unittest.main(verbosity=2)
