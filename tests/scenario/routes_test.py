"""Routes: another upstream, other bounds and timeouts, by host and path; and what a reload makes of them."""

import json
import os
import tempfile
import threading
import unittest

from support.http_client import Client, fetch, request_bytes
from support.process import wait_until
from support.sekisho import Sekisho, run_command
from support.upstream import ScriptedUpstream, read_head


def named(name):
    """Answers every request with its own name."""

    def serve(connection, _):
        while read_head(connection):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(name), name))

    return serve


def held_until(released):
    """Answers once the event is set."""

    def serve(connection, _):
        while read_head(connection):
            released.wait(30)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nheld")

    return serve


class RoutesTest(unittest.TestCase):
    def setUp(self):
        self.main = self.enterContext(ScriptedUpstream(named(b"main")))
        self.other = self.enterContext(ScriptedUpstream(named(b"other")))

    def ask(self, sekisho, target="/", host="www.example.jp", **more):
        return fetch(sekisho.address, target, fields=[("Host", host)], **more)

    def test_the_first_that_matches(self):
        settings = (
            "hosts: [www.example.jp]\n"
            "routes:\n"
            f'- {{match: {{hosts: [feature.example.jp]}}, upstream: "{self.other.upstream}"}}\n'
            f'- {{match: {{paths: ["/other/**"], methods: [GET]}}, upstream: "{self.other.upstream}"}}\n'
            "- {match: {paths: [/other/x]}}\n"
        )
        sekisho = self.enterContext(Sekisho(self.main.upstream, settings))
        for target, host, body in (
            ("/", "www.example.jp", b"main"),
            ("/other", "www.example.jp", b"other"),
            ("/other/x", "www.example.jp", b"other"),
            ("/%6fther/x?a=b", "www.example.jp", b"other"),
            ("/others", "www.example.jp", b"main"),
            ("/", "feature.example.jp", b"other"),
            ("/", "FEATURE.example.jp:80", b"other"),
        ):
            self.assertEqual(self.ask(sekisho, target, host).body, body, (target, host))
        # The names of routes are admitted by the host guard; others are not.
        self.assertEqual(self.ask(sekisho, host="else.example.jp").status, 421)
        line = wait_until(lambda: [one for one in sekisho.access_log() if one["host"] == "feature.example.jp"], "a line")
        self.assertEqual(line[0]["upstream"], self.other.upstream)

    def test_without_a_top_level_upstream(self):
        settings = (
            f'routes: [{{match: {{paths: /other}}, upstream: "{self.other.upstream}"}}, {{upstream: "{self.main.upstream}"}}]\n'
        )
        sekisho = self.enterContext(Sekisho(None, settings)).wait_upstream()
        self.assertEqual(self.ask(sekisho, "/other").body, b"other")
        self.assertEqual(self.ask(sekisho, "/").body, b"main")
        servers = json.loads(sekisho.ask("/status").text)["upstream"]
        self.assertEqual(
            [(server["of"], server["server"]) for server in servers],
            [("route 1", self.other.upstream), ("route 2", self.main.upstream)],
        )

    def test_bounds_and_timeouts(self):
        def slow(connection, _):
            while read_head(connection):
                connection.recv(1)

        silent = self.enterContext(ScriptedUpstream(slow))
        settings = (
            f'upstream: {{servers: "{silent.upstream}", response_timeout: 20s}}\n'
            "client: {max_body_bytes: 10}\n"
            "routes:\n"
            "- {match: {paths: /quick}, upstream: {response_timeout: 200ms}}\n"
            f'- {{match: {{paths: /large}}, client: {{max_body_bytes: 20, body_timeout: 200ms}}, upstream: "{self.main.upstream}"}}\n'
            f'- {{match: {{paths: /small}}, upstream: "{self.main.upstream}"}}\n'
        )
        sekisho = self.enterContext(Sekisho(None, settings))
        self.assertEqual(fetch(sekisho.address, "/quick").status, 504)
        self.assertEqual(fetch(sekisho.address, "/small", "POST", body=b"x" * 11).status, 413)
        with Client(sekisho.address) as client:
            client.send(request_bytes("POST", "/large", [("Content-Length", "15")]) + b"x" * 5)
            self.assertEqual(client.response().status, 408)
        self.assertEqual(fetch(sekisho.address, "/large", "POST", body=b"x" * 21).status, 413)

    def test_own_permits_and_queue(self):
        released = threading.Event()
        self.addCleanup(released.set)

        busy = self.enterContext(ScriptedUpstream(held_until(released)))
        settings = (
            f'upstream: {{servers: "{self.main.upstream}", max_in_flight: 1, queue: {{size: 0}}}}\n'
            f'routes: [{{match: {{paths: "/busy/**"}}, upstream: "{busy.upstream}"}}]\n'
        )
        sekisho = self.enterContext(Sekisho(None, settings))
        with Client(sekisho.address) as client:
            client.send(request_bytes("GET", "/busy/1"))
            wait_until(lambda: sekisho.metric("sekisho_upstream_in_flight") == 1, "it is at the upstream")
            self.assertEqual(fetch(sekisho.address, "/busy/2").status, 503)
            self.assertEqual(fetch(sekisho.address, "/").status, 200)
            released.set()
            self.assertEqual(client.response().body, b"held")
        wait_until(lambda: sekisho.metric("sekisho_upstream_in_flight") == 0, "the permit is back")
        self.assertEqual(fetch(sekisho.address, "/busy/2").status, 200)

    def test_a_removed_route_drains(self):
        released = threading.Event()
        self.addCleanup(released.set)

        old = self.enterContext(ScriptedUpstream(held_until(released)))
        sekisho = self.enterContext(
            Sekisho(self.main.upstream, f'routes: [{{match: {{paths: /old}}, upstream: "{old.upstream}"}}]\n')
        ).wait_upstream()
        with Client(sekisho.address) as client:
            client.send(request_bytes("GET", "/old"))
            wait_until(lambda: sekisho.metric("sekisho_upstream_in_flight") == 1, "it is at the upstream")
            sekisho.configure("")
            self.assertTrue(sekisho.reload())
            self.assertEqual(fetch(sekisho.address, "/old").body, b"main")
            released.set()
            self.assertEqual(client.response().body, b"held")
            self.assertEqual(client.request("GET", "/old").body, b"main", "the same connection, by the new file")
        # The removed route's connection is not kept.
        wait_until(lambda: sekisho.metric("sekisho_upstream_in_flight") == 0, "nothing is in flight")
        wait_until(lambda: sekisho.metric("sekisho_upstream_connections") <= 2, "its connection is closed")

    def test_explain_tells_the_route(self):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write("upstream: a:1\nroutes: [{match: {paths: /x}, upstream: b:1}, {match: {paths: /y}, upstream: c:1}]\n")
            file.flush()
            text = run_command("explain", "-c", file.name, "http://www.example.jp/y").stdout
            self.assertRegex(text, r"route 1 .*not")
            self.assertRegex(text, r"route 2 +matches")
            self.assertRegex(text, r"outcome +passed to the upstream c:1\n")
            text = run_command("explain", "-c", file.name, "http://www.example.jp/z").stdout
            self.assertRegex(text, r"route +the top-level upstream")
            self.assertRegex(text, r"outcome +passed to the upstream a:1\n")


class ErrorPagesTest(unittest.TestCase):
    def test_pages_stand_for_our_own_answers(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        path = os.path.join(folder, "502.html")
        with open(path, "w", encoding="utf-8") as file:
            file.write("<h1>Back in a minute</h1>")

        def serve(connection, _):
            while head := read_head(connection):
                if b"/own" in head:
                    connection.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 5\r\n\r\nrails")
                else:
                    return

        upstream = self.enterContext(ScriptedUpstream(serve))
        settings = (
            f'error_pages: {{502: "file:{path}", 429: "slow down", 403: unused}}\n'
            "limits:\n"
            "- {name: a, match: {paths: /limited}, rate: 1/h}\n"
            "- {name: b, match: {paths: /blocked}, block: true, action: {status: 403, body: theirs}}\n"
        )
        sekisho = self.enterContext(Sekisho(upstream.upstream, settings))
        page = fetch(sekisho.address, "/", "POST", body=b"x")
        self.assertEqual((page.status, page.body), (502, b"<h1>Back in a minute</h1>"))
        self.assertEqual(page.get("Content-Type"), "text/html; charset=utf-8")
        self.assertEqual(page.get("Cache-Control"), "no-store")
        head = fetch(sekisho.address, "/", "HEAD")
        self.assertEqual((head.body, head.get("Content-Length")), (b"", str(len(page.body))))
        self.assertEqual(fetch(sekisho.address, "/own").body, b"rails")
        fetch(sekisho.address, "/limited")
        self.assertEqual(fetch(sekisho.address, "/limited").body, b"slow down")
        self.assertEqual(fetch(sekisho.address, "/blocked").body, b"theirs")
        with open(path, "w", encoding="utf-8") as file:
            file.write("<h1>Soon</h1>")
        self.assertTrue(sekisho.reload())
        self.assertEqual(fetch(sekisho.address, "/", "POST", body=b"x").body, b"<h1>Soon</h1>")


if __name__ == "__main__":
    unittest.main()
