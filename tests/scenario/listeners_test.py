"""Listeners: UNIX sockets, IPv6, and a reload that adds, changes and removes them while requests go on."""

import json
import os
import resource
import signal
import socket
import stat
import tempfile
import time
import unittest

from support.http_client import Client, fetch, request_bytes
from support.load import Load
from support.process import accepts, free_port, wait_until
from support.sekisho import Origin, Sekisho, fields_of


def can_be_bound(address):
    """By another process that does as servers do."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            other.bind(address)
        except OSError:
            return False
        return True


class ListenersTest(unittest.TestCase):
    def setUp(self):
        self.origin = self.enterContext(Origin())
        self.folder = self.enterContext(tempfile.TemporaryDirectory(prefix="sekisho-test-"))

    def start(self, listen=None, settings="", **options):
        return self.enterContext(Sekisho(self.origin.upstream, settings, listen=listen, **options))


class UnixListenerTest(ListenersTest):
    def setUp(self):
        super().setUp()
        self.path = os.path.join(self.folder, "http.sock")

    def ready(self, **options):
        sekisho = self.start(f"unix:{self.path}", **options).wait_upstream()
        wait_until(lambda: accepts(self.path), "the socket is listened on")
        return sekisho

    def test_it_serves_a_peer_that_counts_as_loopback(self):
        sekisho = self.ready()
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o666)
        sent = fields_of(fetch(self.path, "/fields", fields=[("X-Forwarded-For", "203.0.113.9")]))
        self.assertEqual(sent["x-forwarded-for"], "203.0.113.9")
        self.assertNotIn("x-forwarded-port", sent)
        line = wait_until(lambda: sekisho.access_log(), "the line is written")[0]
        self.assertEqual((line["client_ip"], line["peer_ip"]), ("203.0.113.9", "127.0.0.1"))
        self.assertEqual(fetch(self.path, "/healthz", fields=[("Host", "10.0.0.7")]).status, 200)
        self.assertIn(f"unix:{self.path}", sekisho.ask("/status").text)

    def test_the_file_goes_with_the_process(self):
        sekisho = self.ready(settings="shutdown: {grace: 0s, drain: 5s}\n")
        sekisho.signal(signal.SIGTERM)
        self.assertEqual(sekisho.wait(), 0)
        self.assertFalse(os.path.exists(self.path))

    def test_a_file_that_another_put_there_stays(self):
        sekisho = self.ready(settings="shutdown: {grace: 0s, drain: 5s}\n")
        os.unlink(self.path)
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(self.path)
            sekisho.signal(signal.SIGTERM)
            self.assertEqual(sekisho.wait(), 0)
            self.assertTrue(os.path.exists(self.path))

    def test_a_stale_file_is_taken_over(self):
        first = self.ready()
        first.signal(signal.SIGKILL)
        first.wait()
        self.assertTrue(os.path.exists(self.path))
        self.ready()
        self.assertEqual(fetch(self.path, "/").status, 200)

    def test_a_live_one_and_another_file_are_left_alone(self):
        self.ready()
        second = self.start(f"unix:{self.path}", wait=False)
        self.assertEqual(second.wait(), 1)
        self.assertIn(f"cannot listen on unix:{self.path}: the address is in use", second.err())
        self.assertEqual(fetch(self.path, "/").status, 200)
        other = os.path.join(self.folder, "file")
        with open(other, "w", encoding="ascii") as file:
            file.write("mine")
        third = self.start(f"unix:{other}", wait=False)
        self.assertEqual(third.wait(), 1)
        self.assertIn(f"cannot listen on unix:{other}: a file that is no socket stands there", third.err())
        with open(other, encoding="ascii") as file:
            self.assertEqual(file.read(), "mine")

    def test_a_reload_adds_and_removes_it(self):
        sekisho = self.start()
        sekisho.wait_upstream()
        tcp = sekisho.listen
        for _ in range(3):
            sekisho.listen = f"[{tcp}, 'unix:{self.path}']"
            sekisho.configure("")
            self.assertTrue(sekisho.reload())
            with Client(self.path) as kept:
                self.assertFalse(kept.request("GET", "/").closes)
                sekisho.listen = tcp
                sekisho.configure("")
                self.assertTrue(sekisho.reload())
                wait_until(lambda: not os.path.exists(self.path), "the file is gone")
                self.assertTrue(kept.request("GET", "/").closes)


class Ipv6ListenerTest(ListenersTest):
    def test_it_serves_and_limits_by_prefix(self):
        port = free_port()
        sekisho = self.start(f'"[::1]:{port}"', "limits: [{name: one, match: {paths: [/limited]}, rate: 1/h}]\n").wait_upstream()
        address = ("::1", port)
        sent = fields_of(fetch(address, "/fields", fields=[("X-Forwarded-For", "2001:db8:1:2::9")]))
        self.assertEqual((sent["x-forwarded-for"], sent["x-forwarded-port"]), ("2001:db8:1:2::9", str(port)))
        self.assertIn(f'"[::1]:{port}"', sekisho.ask("/status").text)
        codes = [
            fetch(address, "/limited", fields=[("X-Forwarded-For", client)]).status
            for client in ("2001:db8:1:2::9", "2001:db8:1:2:ffff::1", "2001:db8:1:3::9")
        ]
        self.assertEqual(codes, [200, 429, 200])
        line = wait_until(lambda: sekisho.access_log(), "the line is written")[0]
        self.assertEqual((line["client_ip"], line["peer_ip"]), ("2001:db8:1:2::9", "::1"))

    def test_all_addresses_means_both_families_and_a_mapped_peer_is_ipv4(self):
        port = free_port()
        sekisho = self.start(f'"[::]:{port}"').wait_upstream()
        for host, peer in (("127.0.0.1", "127.0.0.1"), ("::1", "::1")):
            sent = fields_of(fetch((host, port), "/fields"))
            self.assertEqual(sent["x-forwarded-for"], peer)
        wait_until(lambda: len(sekisho.access_log()) == 2, "the lines are written")
        self.assertEqual([line["peer_ip"] for line in sekisho.access_log()], ["127.0.0.1", "::1"])


class ReloadedListenersTest(ListenersTest):
    def setUp(self):
        super().setUp()
        self.sekisho = self.start(workers=2).wait_upstream()
        self.port = self.sekisho.port
        self.other = free_port()

    def listen(self, *addresses):
        """The outcome of a reload with these listeners."""
        self.sekisho.listen = "[" + ", ".join(f"'{address}'" for address in addresses) + "]"
        self.sekisho.configure("")
        return self.sekisho.reload()

    def bound(self):
        return sorted(json.loads(self.sekisho.ask("/status").text)["listen"])

    def gone(self, port):
        wait_until(lambda: not accepts(("127.0.0.1", port)), f"port {port} is closed")

    def test_added_and_removed(self):
        here, there = f"127.0.0.1:{self.port}", f"127.0.0.1:{self.other}"
        self.assertTrue(self.listen(here, there))
        self.assertEqual(self.bound(), sorted([here, there]))
        with Client(("127.0.0.1", self.other)) as kept, Client(self.sekisho.address) as stays:
            self.assertFalse(kept.request("GET", "/").closes)
            kept.send(b"GET / HTTP/1.1\r\nHo")
            self.assertTrue(self.listen(here))
            self.assertEqual(self.bound(), [here])
            self.gone(self.other)
            kept.send(b"st: a\r\n\r\n")
            last = kept.response()
            self.assertEqual((last.status, last.closes), (200, True))
            self.assertFalse(stays.request("GET", "/").closes)

    def test_an_address_in_use_refuses_the_file_whole(self):
        with socket.create_server(("127.0.0.1", self.other)) as taken:
            self.sekisho.listen = f"[127.0.0.1:{self.port}, 127.0.0.1:{free_port()}, 127.0.0.1:{self.other}]"
            self.sekisho.configure("hosts: [nobody.example]\n")
            before = self.bound()
            answer = self.sekisho.ask("/reload", "POST", [("X-Sekisho", "1")])
            self.assertEqual(answer.status, 422)
            column = len(f"listen: [127.0.0.1:{self.port}, 127.0.0.1:{self.other}, ") + 1
            told = f"sekisho.yaml:1:{column}: cannot listen on 127.0.0.1:{self.other}: the address is in use"
            self.assertIn(told, answer.text)
            self.assertEqual(self.bound(), before)
            self.assertEqual(fetch(self.sekisho.address, "/").status, 200)
            taken.settimeout(0.1)
        self.assertTrue(self.listen(f"127.0.0.1:{self.port}", f"127.0.0.1:{self.other}"))

    def test_a_file_refused_for_something_else_leaves_nothing_bound(self):
        path = os.path.join(self.folder, "new.sock")
        before = self.bound()
        self.sekisho.listen = f"[0.0.0.0:{self.port}, 127.0.0.1:{self.other}, 'unix:{path}']"
        self.sekisho.configure("log: {access: /nowhere/at/all}\n")
        self.assertFalse(self.sekisho.reload())
        self.assertEqual(self.bound(), before)
        self.assertFalse(accepts(("127.0.0.1", self.other)))
        self.assertFalse(os.path.exists(path))
        self.assertEqual(fetch(self.sekisho.address, "/").status, 200)
        self.assertFalse(can_be_bound(self.sekisho.address))

    def test_overlapping_addresses_take_each_others_place(self):
        with Client(self.sekisho.address) as first:
            self.assertFalse(first.request("GET", "/").closes)
            for address in (f"0.0.0.0:{self.port}", f"127.0.0.1:{self.port}", f"[::]:{self.port}", f"127.0.0.1:{self.port}"):
                self.assertTrue(self.listen(address), self.sekisho.err())
                self.assertEqual(self.bound(), [address])
                self.assertEqual(fetch(self.sekisho.address, "/").status, 200)
            self.assertTrue(first.request("GET", "/").closes)
        # Nobody else shares it afterwards.
        self.assertFalse(can_be_bound(self.sekisho.address))

    def test_port_0_keeps_its_port(self):
        here = f"127.0.0.1:{self.port}"
        self.assertTrue(self.listen(here, "127.0.0.1:0"))
        chosen = self.bound()
        self.assertTrue(self.listen("127.0.0.1:0", here))
        self.assertEqual(self.bound(), chosen)
        port = next(address for address in chosen if address != here)
        self.assertTrue(self.listen(port, here))
        self.assertEqual(self.bound(), chosen)

    def test_no_request_is_lost_over_many_reloads(self):
        changing = os.path.join(self.folder, "changing.sock")
        here = [f"127.0.0.1:{self.port}", f"0.0.0.0:{self.port}"]
        with (
            Load(self.sekisho.address, threads=3) as kept,
            Load(self.sekisho.address, threads=2, fresh=True, pause=0.002) as fresh,
        ):
            wait_until(lambda: kept.answered > 100 and fresh.answered > 50, "the load runs")
            for turn in range(20):
                others = [[], [f"127.0.0.1:{self.other}"], [f"127.0.0.1:{self.other}", f"unix:{changing}"]][turn % 3]
                before = fresh.answered
                self.assertTrue(self.listen(here[turn // 4 % 2], *others), self.sekisho.err())
                for other in others:
                    address = changing if other.startswith("unix:") else ("127.0.0.1", self.other)
                    self.assertEqual(fetch(address, "/").status, 200)
                wait_until(lambda: fresh.answered > before, "new connections are served")
        for load in (kept, fresh):
            self.assertEqual((load.lost, load.resets, load.refused), ([], 0, 0))
            self.assertEqual(set(load.codes), {200})
        self.assertGreater(kept.told_to_close, 0)


class FullListenerTest(ListenersTest):
    def full(self, most):
        """The proxy with `most` connections, and all of them taken."""
        sekisho = self.start(settings=f"client: {{max_connections: {most}}}\n").wait_upstream()
        self.assertEqual(fetch(sekisho.address, "/").status, 200)  # accepted after all that saw it start
        wait_until(lambda: sekisho.metric("sekisho_client_connections") == 0, "those that saw it start are gone")
        for _ in range(most):
            client = self.enterContext(Client(sekisho.address))
            self.assertEqual(client.request("GET", "/").status, 200)
        return sekisho

    def descriptors(self, sekisho):
        return len(os.listdir(f"/proc/{sekisho.child.pid}/fd"))

    def test_one_too_many_is_told_so_and_not_reset(self):
        sekisho = self.full(3)
        with Client(sekisho.address) as early, Client(sekisho.address) as silent:
            # More than one segment, and more after the answer: unread bytes would make the close a reset.
            early.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + 50000 * b"x")
            for client in (early, silent):
                answer = client.response()
                self.assertEqual((answer.status, answer.closes), (503, True))
                self.assertEqual((answer.get("Retry-After"), answer.get("Cache-Control")), ("1", "no-store"))
                self.assertIsNotNone(answer.get("Date"))
            early.send(50000 * b"x")
            self.assertEqual([client.socket.recv(1) for client in (early, silent)], [b"", b""])
        wait_until(lambda: sekisho.metric("sekisho_connections_refused_total") == 2, "both are counted")
        self.assertEqual(sekisho.metric("sekisho_requests_total", outcome="proxied"), 4)

    def test_a_flood_holds_no_more_than_a_few_descriptors(self):
        sekisho = self.full(3)
        base = self.descriptors(sekisho)
        clients = [self.enterContext(Client(sekisho.address)) for _ in range(500)]
        for client in clients:
            self.assertEqual(client.response().status, 503)
        self.assertLessEqual(self.descriptors(sekisho), base + 64)
        # None of the clients has closed.
        wait_until(lambda: self.descriptors(sekisho) <= base, "the last are closed", 5)
        wait_until(lambda: sekisho.metric("sekisho_connections_refused_total") == 500, "all are counted")


class DescriptorsTest(ListenersTest):
    def test_none_left_means_a_pause_and_no_spin(self):
        sekisho = self.start().wait_upstream()
        limits = resource.prlimit(sekisho.child.pid, resource.RLIMIT_NOFILE)
        used = len(os.listdir(f"/proc/{sekisho.child.pid}/fd"))
        resource.prlimit(sekisho.child.pid, resource.RLIMIT_NOFILE, (used + 4, limits[1]))
        clients = [self.enterContext(Client(sekisho.address)) for _ in range(12)]
        told = wait_until(lambda: sekisho.events("accept_paused"), "the log says so")
        self.assertIn("Too many open files", told[0]["message"])
        began, spent = time.monotonic(), sekisho.cpu_seconds()
        wait_until(lambda: time.monotonic() > began + 1.5, "several back-offs are over")
        self.assertLess(sekisho.cpu_seconds() - spent, 0.3)
        resource.prlimit(sekisho.child.pid, resource.RLIMIT_NOFILE, limits)
        for client in clients:
            self.assertEqual(client.request("GET", "/").status, 200)
        self.assertEqual(len(sekisho.events("accept_paused")), 1)

    def test_none_left_for_the_upstream_is_no_fault_of_the_servers(self):
        check = "health_check: {path: /, interval: 100ms, unhealthy_after: 1}"
        sekisho = self.enterContext(Sekisho(None, f"upstream: {{servers: '{self.origin.upstream}', {check}}}\n"))
        sekisho.wait_upstream()
        first = self.enterContext(Client(sekisho.address))
        wait_until(lambda: sekisho.metric("sekisho_client_connections") == 1, "it is accepted")
        limits = resource.prlimit(sekisho.child.pid, resource.RLIMIT_NOFILE)
        # Not one more: what a check or a scrape has open at this moment included.
        resource.prlimit(sekisho.child.pid, resource.RLIMIT_NOFILE, (3, limits[1]))
        first.send(request_bytes("GET", "/"))
        began = time.monotonic()
        wait_until(lambda: time.monotonic() > began + 0.8, "several tries and checks are over")
        resource.prlimit(sekisho.child.pid, resource.RLIMIT_NOFILE, limits)
        self.assertEqual(first.response().status, 200)
        self.assertEqual(sekisho.events("upstream_down"), [])
        self.assertEqual(sekisho.ask("/readyz").status, 200)
        resource.prlimit(sekisho.child.pid, resource.RLIMIT_NOFILE, (3, limits[1]))
        second = self.enterContext(Client(sekisho.address))
        wait_until(lambda: sekisho.events("accept_paused") and sekisho.events("connect_failed"), "the log says so")
        resource.prlimit(sekisho.child.pid, resource.RLIMIT_NOFILE, limits)
        self.assertEqual(second.request("GET", "/").status, 200)


if __name__ == "__main__":
    unittest.main(verbosity=2)
