"""SIGHUP under load, with good and broken files: no request fails, no bucket is forgotten, each file is taken whole or not at all."""

import os
import resource
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

    def test_codes_that_are_none_are_refused_and_the_old_file_serves_on(self):
        for codes in ("600", "6xx", "[999]", "[4]", '[""]', "abc", "-1", "[600, 404]", "{codes: [600]}"):
            before = len(self.sekisho.events("reload"))
            self.sekisho.configure(f"limits: [{{name: gate, rate: 5/s, on_status: {codes}}}]\n")
            self.assertFalse(self.sekisho.reload(), codes)
            self.assertEqual(self.gate(), 450)
            told = wait_until(lambda: self.sekisho.events("reload")[before:], "the log says it")[0]
            self.assertEqual((told["level"], told["result"]), ("error", "failure"))
            self.assertRegex(told["message"], r"sekisho\.yaml:5:\d+: on_status: .* is not a status such as 404")

    def leave_address_space(self, size):
        """The proxy gets no more of it than that until the test is over."""
        pid = self.sekisho.child.pid
        with open(f"/proc/{pid}/statm", encoding="utf-8") as file:
            used = int(file.read().split()[0]) * resource.getpagesize()
        if used > 1 << 40:
            self.skipTest("a sanitizer ends the process where memory is refused")
        limits = resource.prlimit(pid, resource.RLIMIT_AS)
        resource.prlimit(pid, resource.RLIMIT_AS, (used + size, limits[1]))
        self.addCleanup(resource.prlimit, pid, resource.RLIMIT_AS, limits)

    def test_a_file_that_there_is_no_memory_to_read_is_refused(self):
        with open(os.path.join(os.path.dirname(self.sekisho.config_path), "paths"), "w", encoding="utf-8") as file:
            file.writelines(f"/a/path/of/many/{number}\n" for number in range(500_000))
        self.sekisho.configure("limits: [{name: gate, block: true, match: {paths: 'file:paths'}}]\n")
        self.leave_address_space(8 << 20)
        self.assertFalse(self.sekisho.reload())
        self.assertEqual(self.gate(), 450)
        told = wait_until(lambda: self.sekisho.events("reload"), "the log says it")[0]
        self.assertEqual((told["level"], told["result"]), ("error", "failure"))
        self.assertIn("the old one stays: the system refuses the memory that it takes", told["message"])

    def test_without_a_thread_to_ask_the_resolver_on_a_file_is_taken_up_all_the_same(self):
        with open(self.sekisho.config_path, encoding="utf-8") as file:
            text = file.read()
        with open(self.sekisho.config_path, "w", encoding="utf-8") as file:
            file.write(text.replace('"127.0.0.1:', '"localhost:').replace("action: 450", "action: 457"))
        self.leave_address_space(4 << 20)  # below the stack of a thread
        self.assertTrue(self.sekisho.reload())
        self.assertEqual(self.gate(), 457)
        resource.prlimit(self.sekisho.child.pid, resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        wait_until(lambda: fetch(self.sekisho.address, "/").status == 200, "the name is asked for again")

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
