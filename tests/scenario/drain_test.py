"""SIGTERM: not one accepted request is lost, and the process ends by itself with 0."""

import signal
import threading
import time
import unittest

from support.http_client import Client, Truncated, fetch
from support.hung_thread import HungThread
from support.load import Load
from support.process import PATIENCE, accepts, wait_until
from support.sekisho import Origin, Sekisho
from support.upstream import ScriptedUpstream, read_head

SETTINGS = "shutdown: {grace: 1s, drain: 10s}\n"
PROBE = [("Host", "10.0.0.7"), ("User-Agent", "ELB-HealthChecker/2.0")]


class DrainTest(unittest.TestCase):
    def setUp(self):
        self.origin = self.enterContext(Origin())
        self.sekisho = self.enterContext(Sekisho(self.origin.upstream, SETTINGS, workers=2)).wait_upstream()

    def test_no_accepted_request_is_lost(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            with self.subTest(signal=number), Sekisho(self.origin.upstream, SETTINGS, workers=2) as sekisho:
                sekisho.wait_upstream()
                with Load(sekisho.address, threads=4) as kept, Load(sekisho.address, threads=2, fresh=True) as fresh:
                    wait_until(lambda: kept.answered > 200 and fresh.answered > 100, "the load runs")
                    sekisho.signal(number)
                    kept.join()  # each client ends when nobody listens any more
                    fresh.join()
                    self.assertEqual(sekisho.wait(), 0)
                for load in (kept, fresh):
                    self.assertEqual(load.lost, [])
                    self.assertEqual(load.refused, len(load.threads))
                    self.assertEqual(load.resets, 0)
                    self.assertEqual(set(load.codes), {200})
                self.assertGreater(kept.told_to_close, 0)

    def test_grace_is_announced_while_connections_are_still_accepted(self):
        with Client(self.sekisho.address) as kept:
            self.assertFalse(kept.request("GET", "/").closes)
            self.assertEqual(fetch(self.sekisho.address, "/healthz", fields=PROBE).status, 200)
            self.sekisho.signal(signal.SIGTERM)
            wait_until(lambda: fetch(self.sekisho.address, "/healthz", fields=PROBE).status == 503, "the probe fails")
            self.assertEqual(self.sekisho.ask("/readyz").status, 503)
            self.assertEqual(self.sekisho.ask("/healthz").status, 200)
            last = kept.request("GET", "/")
            self.assertEqual((last.status, last.closes), (200, True))
            new = fetch(self.sekisho.address, "/")
            self.assertEqual(new.status, 200)
        self.assertEqual(self.sekisho.wait(), 0)

    def test_a_slow_exchange_is_waited_for(self):
        answers = []

        def ask():
            answers.append(fetch(self.sekisho.address, "/slow?ms=3000"))

        asking = threading.Thread(target=ask)
        asking.start()
        wait_until(lambda: self.sekisho.metric("sekisho_upstream_in_flight") == 1, "the request is at the upstream")
        self.sekisho.signal(signal.SIGTERM)
        self.assertEqual(self.sekisho.wait(), 0)
        asking.join()
        self.assertEqual(answers[0].status, 200)

    def test_idle_connections_do_not_hold_it_up(self):
        with Client(self.sekisho.address) as used, Client(self.sekisho.address) as silent:
            used.request("GET", "/")
            began = time.monotonic()
            self.sekisho.signal(signal.SIGTERM)
            self.assertTrue(used.at_end())
            self.assertTrue(silent.at_end())
            self.assertEqual(self.sekisho.wait(), 0)
            self.assertLess(time.monotonic() - began, 5 * PATIENCE)

    def test_tunnels_end_one_after_the_other(self):
        settings = "shutdown: {grace: 0s, drain: 6s}\n"
        sekisho = self.enterContext(Sekisho(self.origin.upstream, settings, workers=4)).wait_upstream()
        clients = [self.enterContext(Client(sekisho.address)) for _ in range(8)]
        for client in clients:
            client.send(b"GET /echo HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
            self.assertEqual(client.response().status, 101)
        ends = []

        def wait_for_the_end(client):
            self.assertTrue(client.at_end())
            ends.append(time.monotonic())

        threads = [threading.Thread(target=wait_for_the_end, args=(client,)) for client in clients]
        for thread in threads:
            thread.start()
        began = time.monotonic()
        sekisho.signal(signal.SIGTERM)
        for thread in threads:
            thread.join()
        self.assertEqual(sekisho.wait(), 0)
        ends = [end - began for end in sorted(ends)]
        gaps = [later - earlier for earlier, later in zip(ends, ends[1:])]
        # Eight over the time left: two thirds of a second apart, the first not at once.
        self.assertGreater(ends[0], 0.3, ends)
        self.assertLess(max(gaps), 0.67 + 0.5 * PATIENCE, ends)
        self.assertGreater(sorted(gaps)[len(gaps) // 2], 0.3, ends)
        self.assertEqual(sekisho.events("stop")[0]["cut"], 0)

    def test_a_tunnel_made_while_draining_ends_before_the_deadline_without_a_reset(self):
        release = threading.Event()

        def serve(connection, _):
            read_head(connection)
            release.wait()
            connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
            connection.sendall(connection.recv(100))
            ends.append(connection.recv(100))

        ends = []
        upstream = self.enterContext(ScriptedUpstream(serve))
        sekisho = self.enterContext(Sekisho(upstream.upstream, "shutdown: {grace: 0s, drain: 3s}\n", workers=2))
        sekisho.wait_upstream()
        with Client(sekisho.address) as client:
            client.send(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
            wait_until(lambda: upstream.accepted == 1, "the request is at the upstream")
            sekisho.signal(signal.SIGTERM)
            wait_until(lambda: not accepts(sekisho.address), "the listener is closed")
            release.set()
            self.assertEqual(client.response().status, 101)
            client.send(b"hello")
            self.assertEqual(client.socket.recv(100), b"hello")
            self.assertEqual(client.socket.recv(100), b"")  # a FIN: a reset would raise
        self.assertEqual(sekisho.wait(), 0)
        wait_until(lambda: ends, "the upstream saw the end")
        self.assertEqual(ends, [b""])
        self.assertEqual(sekisho.events("stop")[0]["cut"], 0)

    def test_a_reload_while_draining_is_refused_in_the_log(self):
        with Client(self.sekisho.address) as client:
            client.send(b"GET /slow?ms=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            wait_until(lambda: self.sekisho.metric("sekisho_upstream_in_flight") == 1, "the request is at the upstream")
            self.sekisho.signal(signal.SIGTERM)
            wait_until(lambda: self.sekisho.events("drain"), "the drain began")
            self.sekisho.signal(signal.SIGHUP)
            told = wait_until(lambda: self.sekisho.events("reload"), "the log says that it is too late")
            self.assertEqual((told[0]["level"], told[0]["result"]), ("warning", "failure"))
            self.assertEqual(client.response().status, 200)
        self.assertEqual(self.sekisho.wait(), 0)

    def test_a_worker_that_hangs_holds_up_no_reload_and_no_end(self):
        sekisho = self.enterContext(Sekisho(self.origin.upstream, "shutdown: {grace: 0s, drain: 1s}\n", workers=2))
        sekisho.wait_upstream()
        with HungThread(sekisho.child.pid):
            self.assertFalse(sekisho.ask("/reload", "POST", [("X-Sekisho", "1")]).status == 200)
            wait_until(lambda: "does not turn its loop" in sekisho.err(), "the log names the worker")
            wait_until(lambda: sekisho.ask("/healthz").status == 503, "the check notices")
            sekisho.signal(signal.SIGTERM)
            wait_until(lambda: sekisho.events("stop"), "the drain is over", 4)
        self.assertEqual(sekisho.wait(15), 1)
        self.assertIn("ending without it", sekisho.err())

    def test_the_deadline_and_a_second_signal_hold_for_a_worker_that_hangs(self):
        for drain, signals in (("1s", 1), ("20s", 2)):
            settings = f"shutdown: {{grace: 0s, drain: {drain}}}\n"
            with self.subTest(signals=signals), Sekisho(self.origin.upstream, settings, workers=2) as sekisho:
                sekisho.wait_upstream()
                with Client(sekisho.address) as client:
                    client.send(b"GET /slow?ms=30000 HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    wait_until(lambda: sekisho.metric("sekisho_upstream_in_flight") == 1, "it is at the upstream")
                    with HungThread(sekisho.child.pid):
                        for number in range(signals):
                            sekisho.signal(signal.SIGTERM)
                            wait_until(lambda: len(sekisho.events("drain")) > number, "the signal is answered", 3)
                        wait_until(lambda: sekisho.events("stop"), "the end is forced", 3)
                    self.assertEqual(sekisho.wait(), 1)

    def test_drain_has_an_end(self):
        sekisho = self.enterContext(Sekisho(self.origin.upstream, "shutdown: {grace: 0s, drain: 1s}\n")).wait_upstream()
        with Client(sekisho.address) as client:
            client.send(b"GET /slow?ms=20000 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            wait_until(lambda: sekisho.metric("sekisho_upstream_in_flight") == 1, "the request is at the upstream")
            sekisho.signal(signal.SIGTERM)
            self.assertEqual(sekisho.wait(10), 0)
            with self.assertRaises(Truncated):
                client.response()

    def test_a_second_signal_exits_at_once(self):
        with Client(self.sekisho.address) as client:
            client.send(b"GET /slow?ms=20000 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            wait_until(lambda: self.sekisho.metric("sekisho_upstream_in_flight") == 1, "the request is at the upstream")
            self.sekisho.signal(signal.SIGTERM)
            wait_until(lambda: self.sekisho.ask("/readyz").status == 503, "the drain began")
            began = time.monotonic()
            self.sekisho.signal(signal.SIGTERM)
            self.sekisho.wait(8)
            self.assertLess(time.monotonic() - began, 3 * PATIENCE)


if __name__ == "__main__":
    unittest.main(verbosity=2)
