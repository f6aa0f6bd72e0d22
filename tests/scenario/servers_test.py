"""Several upstream servers: shared by least requests, passed over while down, checked by connection or by path."""

import collections
import threading
import unittest

from support.http_client import Client, fetch, request_bytes
from support.load import Load
from support.process import free_port, wait_until
from support.sekisho import Origin, Sekisho
from support.upstream import ScriptedUpstream, read_head


class Server(ScriptedUpstream):
    """Answers with its name once its gate is open; notes what was asked."""

    def __init__(self, name, status=b"200 OK"):
        self.name, self.status = name, status
        self.gate = threading.Event()
        self.gate.set()
        self.heads = []
        super().__init__(self.answer)

    def answer(self, connection, _):
        while head := read_head(connection):
            self.heads.append(head)
            self.gate.wait(30)
            status = b"200 OK" if b"GET /up " not in head else self.status
            connection.sendall(b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(self.name), self.name))


class ServersTest(unittest.TestCase):
    def proxy(self, servers, more="", settings="", **arguments):
        names = ", ".join(f'"{server}"' for server in servers)
        text = f"upstream: {{servers: [{names}]{more}}}\n{settings}"
        return self.enterContext(Sekisho(None, text, **arguments)).wait_upstream()

    def healthy(self, sekisho, server):
        return sekisho.metric("sekisho_upstream_healthy", server=server) == 1

    def test_the_one_with_fewest_requests(self):
        a, b = self.enterContext(Server(b"a")), self.enterContext(Server(b"b"))
        sekisho = self.proxy([a.upstream, b.upstream], workers=2)
        counts = collections.Counter(fetch(sekisho.address, "/").body for _ in range(20))
        self.assertEqual(sum(counts.values()), 20)
        self.assertTrue(counts[b"a"] >= 5 and counts[b"b"] >= 5, counts)
        a.gate.clear()
        at_a, before = len(a.heads), len(a.heads) + len(b.heads)
        waiting = [self.enterContext(Client(sekisho.address)) for _ in range(4)]
        for client in waiting:
            client.send(request_bytes("GET", "/"))
        wait_until(lambda: len(a.heads) + len(b.heads) == before + 4, "all four are at a server")
        stuck = len(a.heads) - at_a
        self.assertGreaterEqual(stuck, 1)
        wait_until(lambda: sekisho.metric("sekisho_upstream_in_flight") == stuck, "only the stuck server's are left")
        # Of what comes now it gets none while the other is idle.
        self.assertEqual({fetch(sekisho.address, "/").body for _ in range(10)}, {b"b"})
        a.gate.set()
        for client in waiting:
            self.assertIn(client.response().body, (b"a", b"b"))
        wait_until(lambda: sekisho.metric("sekisho_upstream_in_flight") == 0, "all are back")

    def test_requests_one_after_the_other_are_shared(self):
        """None is ever at work when the next comes: they are chosen in turn, also while one of them has an idle connection."""
        counts = [0] * 4

        def server(index):
            def serve(connection, _):
                while read_head(connection):
                    counts[index] += 1
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

            return self.enterContext(ScriptedUpstream(serve)).upstream

        servers = [server(index) for index in range(4)]
        sekisho = self.enterContext(Sekisho(None, f"upstream: {{servers: {servers}}}\n", workers=1)).wait_upstream()
        with Client(sekisho.address) as client:
            for _ in range(40):
                self.assertEqual(client.request("GET", "/").status, 200)
        self.assertEqual(counts, [10] * 4)

    def test_connections_pass_to_those_who_wait_for_one(self):
        made = []

        def serve(connection, number):
            made.append(number)
            while read_head(connection):
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1")

        upstream = self.enterContext(ScriptedUpstream(serve))
        sekisho = self.proxy([upstream.upstream], ", max_connections: 3", workers=2)
        with Load(sekisho.address, threads=12) as load:
            wait_until(lambda: load.answered > 500, "many more ask than there are connections")
        self.assertEqual((set(load.codes), load.lost), ({200}, []))
        self.assertLessEqual(len(made), 12, "connections are kept while others wait for them")

    def test_a_server_that_refuses_is_passed_over(self):
        alive = self.enterContext(Server(b"alive"))
        dead = f"127.0.0.1:{free_port()}"
        sekisho = self.proxy([dead, alive.upstream])
        for method in ("GET", "POST"):
            for _ in range(10):
                self.assertEqual(fetch(sekisho.address, "/", method, body=b"x").body, b"alive")
        self.assertFalse(self.healthy(sekisho, dead))
        self.assertTrue(self.healthy(sekisho, alive.upstream))
        wait_until(lambda: sekisho.events("upstream_down"), "the log says it")
        self.assertEqual(sekisho.metric("sekisho_upstream_errors_total", server=alive.upstream), 0)

    def test_traffic_finds_a_dead_server_at_once(self):
        b = self.enterContext(Server(b"b"))
        with Server(b"a") as a:
            sekisho = self.proxy([a.upstream, b.upstream])
            self.assertEqual({fetch(sekisho.address, "/").body for _ in range(10)}, {b"a", b"b"})
        for _ in range(20):
            self.assertEqual(fetch(sekisho.address, "/").body, b"b")
        self.assertFalse(self.healthy(sekisho, a.upstream))
        self.assertGreaterEqual(sekisho.metric("sekisho_upstream_errors_total", server=a.upstream, reason="connect"), 1)

    def test_with_none_up_requests_are_tried_anyway(self):
        ports = [free_port(), free_port()]
        sekisho = self.enterContext(
            Sekisho(None, f"upstream: {{servers: [127.0.0.1:{ports[0]}, 127.0.0.1:{ports[1]}]}}\n")
        )
        self.assertEqual(fetch(sekisho.address, "/").status, 502)
        self.assertEqual(sekisho.metric("sekisho_upstream_errors_total", reason="connect"), 2, "each was tried once")
        self.enterContext(Origin(port=ports[1]))
        self.assertEqual(fetch(sekisho.address, "/").status, 200)
        self.assertTrue(self.healthy(sekisho, f"127.0.0.1:{ports[1]}"))

    def test_checks_by_path(self):
        a, b = self.enterContext(Server(b"a")), self.enterContext(Server(b"b"))
        check = ", health_check: {path: /up, interval: 100ms, timeout: 300ms, unhealthy_after: 2, healthy_after: 2}"
        sekisho = self.proxy([a.upstream, b.upstream], check, "hosts: ['*.example.jp', www.example.jp]\n")
        head = wait_until(lambda: a.heads, "a check")[0]
        self.assertTrue(head.startswith(b"GET /up HTTP/1.1\r\n"))
        self.assertIn(b"Host: www.example.jp\r\n", head)
        self.assertIn(b"X-Forwarded-Proto: https\r\n", head)

        a.status = b"404 Not Found"  # below 500 is alive
        seen = len(a.heads)
        wait_until(lambda: len(a.heads) > seen + 4, "more checks")
        self.assertTrue(self.healthy(sekisho, a.upstream))

        a.status = b"503 Service Unavailable"
        wait_until(lambda: not self.healthy(sekisho, a.upstream), "the ill one is known")
        fields = [("Host", "www.example.jp")]
        self.assertEqual({fetch(sekisho.address, "/", fields=fields).body for _ in range(10)}, {b"b"})
        self.assertEqual(sekisho.ask("/readyz").status, 200)
        a.status = b"200 OK"
        wait_until(lambda: self.healthy(sekisho, a.upstream), "it is well again")
        self.assertEqual({fetch(sekisho.address, "/", fields=fields).body for _ in range(10)}, {b"a", b"b"})

    def test_a_slow_answer_is_never_down(self):
        a = self.enterContext(Server(b"a"))
        check = ", health_check: {path: /up, interval: 100ms, timeout: 50ms, unhealthy_after: 1, healthy_after: 1}"
        sekisho = self.proxy([a.upstream], check)
        a.gate.clear()
        seen = len(a.heads)
        wait_until(lambda: len(a.heads) > seen + 4, "checks that get no answer")
        self.assertTrue(self.healthy(sekisho, a.upstream))
        a.gate.set()

    def test_servers_added_and_removed_by_reload(self):
        a, b = self.enterContext(Server(b"a")), self.enterContext(Server(b"b"))
        sekisho = self.proxy([a.upstream], workers=2)
        with Client(sekisho.address) as client:
            self.assertEqual(client.request("GET", "/").body, b"a")
            sekisho.configure(f"upstream: {{servers: ['{a.upstream}', '{b.upstream}']}}\n")
            self.assertTrue(sekisho.reload())
            self.assertEqual({client.request("GET", "/").body for _ in range(10)}, {b"a", b"b"})
            sekisho.configure(f"upstream: '{b.upstream}'\n")
            self.assertTrue(sekisho.reload())
            self.assertEqual({client.request("GET", "/").body for _ in range(10)}, {b"b"})
        self.assertNotIn(a.upstream, str(sekisho.metrics().keys()))

    def test_requests_lost_on_a_reused_connection_go_to_a_fresh_one(self):
        def once(connection, _):
            head = read_head(connection)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1")
            if b"/first" in head:
                read_head(connection)  # the next one is swallowed without a byte of answer

        upstream = self.enterContext(ScriptedUpstream(once))
        sekisho = self.proxy([upstream.upstream])
        self.assertEqual(fetch(sekisho.address, "/first").status, 200)
        self.assertEqual(fetch(sekisho.address, "/second").status, 200)
        self.assertEqual(sekisho.metric("sekisho_upstream_retries_total"), 1)
        self.assertEqual(sekisho.metric("sekisho_upstream_errors_total", reason="reset"), 1, "the retried one counts")


if __name__ == "__main__":
    unittest.main()
