"""What goes wrong on either side gets a clear answer, and never a well-formed half of a response."""

import os
import signal
import socket
import tempfile
import unittest

from support.http_client import Client, Truncated, fetch, request_bytes
from support.process import free_port, wait_until
from support.sekisho import Origin, Sekisho, run_command
from support.upstream import ScriptedUpstream, read_head

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class UpstreamFaultsTest(unittest.TestCase):
    def proxy(self, serve, settings=""):
        self.upstream = self.enterContext(ScriptedUpstream(serve))
        return self.enterContext(Sekisho(self.upstream.upstream, settings))

    def last_line(self, sekisho):
        return wait_until(sekisho.access_log, "an access line")[-1]

    def test_dead_upstream_is_502(self):
        sekisho = self.enterContext(Sekisho(f"127.0.0.1:{free_port()}"))
        with Client(sekisho.address) as client:
            for method, body in (("GET", None), ("POST", b"body")):
                response = client.request(method, "/", body=body)
                self.assertEqual((response.status, response.closes), (502, False))
                self.assertTrue(0 < len(response.body) < 400)
        self.assertEqual(self.last_line(sekisho)["outcome"], "upstream_error")
        self.assertEqual(sekisho.ask("/readyz").status, 503)
        self.assertGreaterEqual(sekisho.metric("sekisho_upstream_errors_total", reason="connect"), 2)

    def test_dead_unix_upstream_is_502(self):
        with tempfile.TemporaryDirectory() as folder:
            sekisho = self.enterContext(Sekisho(f"unix:{folder}/none.sock"))
            self.assertEqual(fetch(sekisho.address, "/").status, 502)

    def test_slow_upstream_is_504(self):
        def serve(connection, _):
            read_head(connection)
            connection.recv(1)

        upstream = self.enterContext(ScriptedUpstream(serve))
        settings = f"upstream: {{servers: \"{upstream.upstream}\", response_timeout: 300ms}}\n"
        sekisho = self.enterContext(Sekisho(None, settings))
        for _ in range(2):
            self.assertEqual(fetch(sekisho.address, "/").status, 504)
        self.assertEqual(upstream.accepted, 2, "a request that timed out was sent again")
        self.assertEqual(sekisho.metric("sekisho_upstream_errors_total", reason="timeout"), 2)
        # A server that failed had the request all the same: its time is told.
        self.assertGreaterEqual(self.last_line(sekisho)["upstream_ms"], 300)
        wait_until(lambda: sekisho.metric("sekisho_upstream_duration_seconds_count") == 2, "both are counted")

    def test_dying_in_a_counted_body_is_a_truncated_response(self):
        def serve(connection, _):
            read_head(connection)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n0123456789")

        with self.assertRaises(Truncated) as caught:
            fetch(self.proxy(serve).address, "/")
        self.assertEqual(caught.exception.args[0].status, 200)

    def test_dying_in_a_chunked_body_is_a_truncated_response(self):
        for part in (b"5\r\nhello\r\n", b"5\r\nhel", b"5\r\nhello\r\n0\r\n"):
            def serve(connection, _, part=part):
                read_head(connection)
                connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + part)

            with self.subTest(part=part), self.assertRaises(Truncated):
                fetch(self.proxy(serve).address, "/")

    def test_dying_in_a_body_for_an_http_1_0_client_is_a_reset(self):
        """The end of the connection is the only end that such a client knows."""
        for part in (b"Content-Length: 1000\r\n\r\nhello", b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"):
            def serve(connection, _, part=part):
                read_head(connection)
                connection.sendall(b"HTTP/1.1 200 OK\r\n" + part)

            with self.subTest(part=part), Client(self.proxy(serve).address) as client:
                client.send(request_bytes("GET", "/", version="HTTP/1.0"))
                if b"chunked" in part:
                    with self.assertRaises(ConnectionResetError):
                        while client.socket.recv(65536):
                            pass
                else:
                    with self.assertRaises(Truncated):
                        client.response()

    def test_bytes_nobody_asked_for_answer_no_later_request(self):
        def serve(connection, number):
            read_head(connection)
            connection.sendall(OK)
            if number == 0:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
            while read_head(connection):
                connection.sendall(OK)

        sekisho = self.proxy(serve)
        with Client(sekisho.address) as client:
            self.assertEqual(client.request("POST", "/", body=b"x").text, "ok")
            wait_until(lambda: sekisho.metric("sekisho_upstream_connections") == 0, "the connection is given up")
            self.assertEqual(client.request("POST", "/", body=b"x").text, "ok")

    def test_dying_before_or_in_the_head_is_502(self):
        for part in (b"", b"HTTP/1.1 200", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"):
            def serve(connection, _, part=part):
                read_head(connection)
                connection.sendall(part)

            with self.subTest(part=part):
                self.assertEqual(fetch(self.proxy(serve).address, "/").status, 502)

    def test_what_the_end_of_a_drain_cuts_is_booked_as_draining(self):
        settings = "shutdown: {grace: 0s, drain: 500ms}\n"
        sekisho = self.proxy(lambda connection, _: (read_head(connection), connection.recv(1)), settings)
        with Client(sekisho.address) as asking, Client(sekisho.address) as sending:
            asking.send(request_bytes("GET", "/"))
            sending.send(b"GET / HTT")
            wait_until(
                lambda: sekisho.metric("sekisho_client_connections", state="active") == 2
                and sekisho.metric("sekisho_upstream_in_flight") == 1,
                "both are under way",
            )
            sekisho.signal(signal.SIGTERM)
            self.assertEqual(sekisho.wait(), 0)
        self.assertEqual([line["outcome"] for line in sekisho.access_log()], ["draining", "draining"])

    def test_nonsense_is_502(self):
        heads = [
            b"SSH-2.0-OpenSSH\r\n\r\n",
            b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nxx",
            b"HTTP/1.1 200 OK\r\nX-Big: " + b"a" * 400_000 + b"\r\n\r\n",
        ]
        for head in heads:
            def serve(connection, _, head=head):
                read_head(connection)
                connection.sendall(head)

            with self.subTest(head=head[:80]):
                self.assertEqual(fetch(self.proxy(serve).address, "/").status, 502)

    def test_a_body_that_ends_with_the_connection_is_whole(self):
        def serve(connection, _):
            read_head(connection)
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\nuntil the end")

        with Client(self.proxy(serve).address) as client:
            self.assertEqual(client.request("GET", "/").text, "until the end")

    def test_a_pooled_connection_that_died_is_tried_again_for_get_alone(self):
        def serve(connection, number):
            read_head(connection)
            connection.sendall(OK)
            if number % 2 == 0:
                read_head(connection)  # takes the second request and dies without a byte
                return
            while read_head(connection):
                connection.sendall(OK)

        sekisho = self.proxy(serve)
        with Client(sekisho.address) as client:
            self.assertEqual(client.request("GET", "/").status, 200)
            self.assertEqual(client.request("GET", "/").status, 200)
        self.assertEqual(self.upstream.accepted, 2)
        self.assertEqual(sekisho.metric("sekisho_upstream_retries_total"), 1)

        sekisho = self.proxy(serve)
        with Client(sekisho.address) as client:
            self.assertEqual(client.request("GET", "/").status, 200)
            self.assertEqual(client.request("POST", "/", body=b"once").status, 502)
        self.assertEqual(self.upstream.accepted, 1)

    def test_an_idle_connection_closed_by_the_upstream_costs_no_request(self):
        def serve(connection, _):
            read_head(connection)
            connection.sendall(OK)

        sekisho = self.proxy(serve)
        with Client(sekisho.address) as client:
            for _ in range(20):
                # May race with the server's FIN: then it is sent again.
                self.assertEqual(client.request("GET", "/").status, 200)
            for _ in range(5):
                # May not be sent twice, so the FIN must have arrived before it goes out.
                wait_until(lambda: sekisho.metric("sekisho_upstream_connections", state="idle") == 0, "the FIN to be seen")
                self.assertEqual(client.request("POST", "/", body=b"x").status, 200)


class ClientFaultsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.origin = cls.enterClassContext(Origin())
        settings = "hosts: [www.example.jp]\nclient: {header_timeout: 500ms, max_body_bytes: 1000, max_header_bytes: 8KiB}\n"
        cls.sekisho = cls.enterClassContext(Sekisho(cls.origin.upstream, settings)).wait_upstream()

    def test_bad_requests_are_400_and_closed(self):
        host = b"Host: www.example.jp\r\n"
        requests = [
            b"nonsense\r\n\r\n",
            b"GET / HTTP/1.1\r\n\r\n",
            b"GET / HTTP/1.1\r\n" + host + host + b"\r\n",
            b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
            b"GET / HTTP/1.1\r\n" + host + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\nx",
            b"GET / HTTP/1.1\r\n" + host + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            b"GET / HTTP/1.1\r\n" + host + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            b"GET / HTTP/1.1\r\n" + host + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
            b"GET / HTTP/1.1\r\n" + host + b"Content-Length: +1\r\n\r\nx",
            b"GET / HTTP/1.1\r\n" + host + b"X-Space : 1\r\n\r\n",
            b"GET / HTTP/1.1\r\n" + host + b"X-Folded: 1\r\n 2\r\n\r\n",
            b"GET / HTTP/1.1\r\n" + host + b"X-Nul: a\0b\r\n\r\n",
            b"GET / HTTP/1.1\n" + host + b"\r\n",
            b"GET /a b HTTP/1.1\r\n" + host + b"\r\n",
        ]
        for request in requests:
            with self.subTest(request=request), Client(self.sekisho.address) as client:
                client.send(request)
                response = client.response()
                self.assertEqual((response.status, response.closes), (400, True))
                self.assertTrue(client.at_end())
        # A trusted peer speaks for others: whose head it was that could not be read is not known.
        unread = lambda: [line for line in self.sekisho.access_log() if line["outcome"] == "bad_request" and line["path"] is None]
        lines = wait_until(unread, "access lines of them")
        self.assertEqual({(line["client_ip"], line["peer_ip"]) for line in lines}, {(None, "127.0.0.1")})

    def test_bare_addresses_are_421_and_kept(self):
        hosts = "127.0.0.1 127.0.0.1:8080 [::1] [::1]:80 [::ffff:127.0.0.1] 127.0.0.1. 2130706433 0x7f000001 0177.0.0.1 127.1 0x7f.1"
        with Client(self.sekisho.address) as client:
            for host in [*hosts.split(), "other.example", "www.example.jp.evil.example"]:
                response = client.request("GET", "/", [("Host", host)])
                self.assertEqual((response.status, response.closes), (421, False), host)
            for host in ("www.example.jp", "WWW.example.jp:8080", "www.example.jp."):
                self.assertEqual(client.request("GET", "/", [("Host", host)]).status, 200, host)

    def test_the_balancers_probe_comes_by_address(self):
        with Client(self.sekisho.address) as client:
            self.assertEqual(client.request("GET", "/healthz", [("Host", "127.0.0.1:8080")]).status, 200)
            self.assertEqual(client.request("HEAD", "/healthz", [("Host", "127.0.0.1:8080")]).status, 200)
            viewer = [("Host", "127.0.0.1:8080"), ("X-Forwarded-For", "203.0.113.7")]
            self.assertEqual(client.request("GET", "/healthz", viewer).status, 421)

    def test_slow_large_and_forbidden(self):
        with Client(self.sekisho.address) as client:
            client.send(b"GET / HTTP/1.1\r\nHost: www.exa")
            self.assertEqual(client.response().status, 408)
        host = [("Host", "www.example.jp")]
        self.assertEqual(fetch(self.sekisho.address, "/", "POST", host, b"x" * 1001).status, 413)
        self.assertEqual(fetch(self.sekisho.address, "/", "POST", host, b"x" * 1001, chunked=True).status, 413)
        self.assertEqual(fetch(self.sekisho.address, "/", "POST", host, b"x" * 1000).status, 200)
        self.assertEqual(fetch(self.sekisho.address, "/" + "a" * 9000, fields=host).status, 431)
        self.assertEqual(fetch(self.sekisho.address, "/", fields=[*host, ("X-Big", "a" * 9000)]).status, 431)
        self.assertEqual(fetch(self.sekisho.address, "/", "TRACE", host).status, 405)
        self.assertEqual(fetch(self.sekisho.address, "www.example.jp:443", "CONNECT", host).status, 405)

    def test_empty_lines_that_leave_a_head_no_room_are_431(self):
        sekisho = self.enterContext(Sekisho(self.origin.upstream, "client: {header_timeout: 1h}\n"))
        with Client(sekisho.address) as client:
            client.send(b"\r")  # a request begins with it, for all that is known
            wait_until(lambda: sekisho.metric("sekisho_client_connections", state="active") == 1, "it begins")
            client.send(b"\n" + b"\r\n" * 39_000)
            client.send(b"GET / HTTP/1.1\r\nHost: localhost\r\nA: " + b"a" * 78_000)
            self.assertEqual(client.response().status, 431)

    def test_an_empty_line_after_a_body_begins_no_request(self):
        with Client(self.sekisho.address) as client:
            post = request_bytes("POST", "/echo", body=b"hello", host="www.example.jp")
            client.send(post + b"\r\n")
            self.assertEqual(client.response().text, "hello")
            states = lambda state: self.sekisho.metric("sekisho_client_connections", state=state)
            wait_until(lambda: (states("active"), states("idle")) == (0, 1), "the connection is idle")
            client.send(b"\r\n" + post)
            self.assertEqual(client.response().text, "hello")

    def test_a_body_that_drips_is_408(self):
        """Slower than min_body_rate over 5 s, the first 5 left out, though no pause is long: be it data, be it what
        stands around data."""
        sekisho = self.enterContext(Sekisho(self.origin.upstream, "hosts: [www.example.jp]\n")).wait_upstream()
        head = b"POST /echo HTTP/1.1\r\nHost: www.example.jp\r\n"
        beginnings = {
            "data": head + b"Content-Length: 900\r\n\r\n",
            "a chunk's extension": head + b"Transfer-Encoding: chunked\r\n\r\n5;",
            "a trailer": head + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nx: ",
            "an extension in a body that flows": head
            + b"Transfer-Encoding: chunked\r\n\r\n13880\r\n" + b"x" * 80000 + b"\r\n5;",
        }
        clients = {what: Client(sekisho.address) for what in beginnings}
        for what, client in clients.items():
            self.addCleanup(client.socket.close)
            client.send(beginnings[what])
            client.socket.settimeout(0.1)

        def answered():
            for client in clients.values():
                if b"\r\n\r\n" in client.buffer:
                    continue
                try:
                    client.send(b"x")
                    client.buffer += client.socket.recv(65536)
                except TimeoutError:
                    pass
            return all(b"\r\n\r\n" in client.buffer for client in clients.values())

        wait_until(answered, "all are answered", 20)
        for what, client in clients.items():
            with self.subTest(what):
                self.assertEqual(client.response().status, 408)

    def test_a_client_that_leaves_disturbs_nobody(self):
        for part in (b"", b"GET", b"GET / HTTP/1.1\r\nHost: www.example.jp\r\n\r\n",
                     b"POST / HTTP/1.1\r\nHost: www.example.jp\r\nContent-Length: 500\r\n\r\nx"):
            with Client(self.sekisho.address) as client:
                client.send(part)
                # A reset instead of an orderly close.
                client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.assertEqual(fetch(self.sekisho.address, "/", fields=[("Host", "www.example.jp")]).status, 200)


class StartTest(unittest.TestCase):
    def start(self, text, *arguments):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "sekisho.yaml")
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            return run_command("run", "-c", path, *arguments)

    def test_a_broken_file_ends_it_with_every_problem(self):
        text = "upstream: 127.0.0.1:3000\nlimts: []\nworkers: many\nlimits:\n  - {name: a}\n  - {name: b, rate: 5/fortnight}\n"
        done = self.start(text)
        self.assertEqual(done.returncode, 1)
        said = done.stdout + done.stderr
        for place in (":2:", ":3:", ":5:", ":6:"):
            self.assertIn("sekisho.yaml" + place, said)

    def test_no_file_and_no_upstream(self):
        done = run_command("run", "-c", "/nonexistent/sekisho.yaml")
        self.assertEqual(done.returncode, 1)
        self.assertIn("/nonexistent/sekisho.yaml", done.stderr)
        done = self.start("workers: 1\n")
        self.assertEqual(done.returncode, 1)
        self.assertIn("upstream", done.stdout + done.stderr)

    def test_a_port_in_use_is_named(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            for text in (f"listen: 127.0.0.1:{port}\nadmin: off\n", f"listen: 127.0.0.1:{free_port()}\nadmin: 127.0.0.1:{port}\n"):
                done = self.start(text + "upstream: 127.0.0.1:3000\n")
                self.assertEqual(done.returncode, 1)
                self.assertIn(f"127.0.0.1:{port}", done.stderr)
                self.assertIn("in use", done.stderr)

    def test_a_table_that_does_not_fit_is_refused_before_it_is_taken(self):
        done = self.start("upstream: 127.0.0.1:3000\nlimits: [{name: a, rate: 5/s, capacity: 4000000000000}]\n")
        self.assertEqual(done.returncode, 1)
        self.assertNotIn("bad_alloc", done.stderr)

    def test_usage(self):
        self.assertEqual(run_command("run", "--nonsense").returncode, 2)
        self.assertEqual(run_command("frobnicate").returncode, 2)
        self.assertEqual(run_command("--version").returncode, 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
