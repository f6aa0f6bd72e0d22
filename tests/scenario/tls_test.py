"""TLS from clients: versions, names, certificates and their renewal, bytes whole in both directions, and ends that tell a cut."""

import json
import os
import signal
import ssl
import subprocess
import unittest
import zlib

from support.http_client import Truncated, fetch, request_bytes
from support.process import connect, free_port, wait_until
from support.sekisho import Origin, Puma, Sekisho, run_command
from support.tls import TlsCase, TlsClient, fetch_tls
from support.upstream import ScriptedUpstream
from support.websocket import ECHOED, WebSocket, echoes

LARGE = 20 * 1024 * 1024


def descriptors(process):
    return len(os.listdir(f"/proc/{process.child.pid}/fd"))


class ClientSideTest(TlsCase):
    def setUp(self):
        super().setUp()
        self.origin = self.enterContext(Origin())

    def start(self, settings="", pairs=None, upstream=None, **options):
        port = free_port()
        sekisho = Sekisho(upstream or self.origin.upstream, settings, port=port, listen=self.listen(port, pairs), **options)
        return self.enterContext(sekisho).wait_upstream()

    def client(self, sekisho, name="localhost", context=None):
        return self.enterContext(TlsClient(sekisho.address, context or self.trusting, name))

    def test_tls_1_2_and_1_3_and_nothing_older(self):
        sekisho = self.start()
        for version, says in ((ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")):
            context = self.authority.client()
            context.minimum_version = context.maximum_version = version
            client = self.client(sekisho, context=context)
            self.assertEqual(client.socket.version(), says)
            self.assertEqual(client.request("GET", "/").status, 200)
            self.assertEqual(client.request("GET", "/").status, 200)
        old = subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{sekisho.port}", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"],
            input="", capture_output=True, text=True, timeout=30, check=False,
        )
        self.assertNotEqual(old.returncode, 0)
        self.assertIn("protocol version", old.stderr)

    def test_curl_speaks_to_it(self):
        sekisho = self.start()
        command = ["curl", "-sS", "--cacert", self.authority.ca, "-w", "%{http_code} %{http_version}"]
        done = subprocess.run([*command, f"https://localhost:{sekisho.port}/fields"], capture_output=True, text=True, timeout=30, check=False)
        self.assertEqual(done.stderr, "")
        self.assertTrue(done.stdout.endswith("200 1.1"), done.stdout)
        self.assertIn("x-forwarded-proto: https", done.stdout.lower())

    def test_the_upstream_is_told_https_and_the_port(self):
        sekisho = self.start()
        text = fetch_tls(sekisho.address, self.trusting, "/fields").text.lower()
        self.assertIn("x-forwarded-proto: https", text)
        self.assertIn(f"x-forwarded-port: {sekisho.port}", text)

    def test_alpn(self):
        sekisho = self.start()
        for offered, chosen in ((["h2", "http/1.1"], "http/1.1"), (["http/1.1"], "http/1.1"), ([], None)):
            context = self.authority.client()
            if offered:
                context.set_alpn_protocols(offered)
            client = self.client(sekisho, context=context)
            self.assertEqual(client.socket.selected_alpn_protocol(), chosen)
            self.assertEqual(client.request("GET", "/").status, 200)
        context = self.authority.client()
        context.set_alpn_protocols(["h2"])
        with self.assertRaisesRegex(ssl.SSLError, "(?i)no.application.protocol"):
            TlsClient(sekisho.address, context)

    def test_the_certificate_goes_by_the_name_asked_for(self):
        shop = self.authority.issue("shop", "DNS:shop.example")
        wild = self.authority.issue("wild", "DNS:*.app.example")
        sekisho = self.start(pairs=f"[{self.authority.pair('server')}, {shop}, {wild}]")
        self.assertEqual(self.client(sekisho, "shop.example").names, ["shop.example"])
        self.assertEqual(self.client(sekisho, "a.app.example").names, ["*.app.example"])
        self.assertEqual(self.client(sekisho, "localhost").names, ["localhost"])
        anyone = self.authority.client()
        anyone.check_hostname = False
        self.assertEqual(self.client(sekisho, "other.example", anyone).names, ["localhost"])
        self.assertEqual(self.client(sekisho, None, anyone).names, ["localhost"])

    def test_a_renewed_certificate_is_taken_up_while_connections_go_on(self):
        sekisho = self.start()
        kept = self.client(sekisho)
        self.assertEqual(kept.request("GET", "/").status, 200)
        self.authority.issue("server", "DNS:localhost", "DNS:renewed.example")
        self.assertEqual(self.client(sekisho).names, ["localhost"], "nothing is read before the signal")
        self.assertTrue(sekisho.reload())
        self.assertEqual(self.client(sekisho).names, ["localhost", "renewed.example"])
        self.assertEqual(kept.request("GET", "/").status, 200)

    def test_a_broken_certificate_leaves_the_old_in_force(self):
        sekisho = self.start()
        with open(self.authority.path("server.pem"), "w", encoding="ascii") as file:
            file.write("half a file")
        self.assertFalse(sekisho.reload())
        self.assertEqual(fetch_tls(sekisho.address, self.trusting).status, 200)
        self.assertIn("holds no certificate in PEM form", sekisho.err())
        checked = run_command("check", "-c", sekisho.config_path)
        self.assertEqual(checked.returncode, 1)
        self.assertRegex(checked.stdout, r"sekisho.yaml:1:\d+: .*server.pem holds no certificate")

    def test_a_listener_turns_to_tls_and_back_by_reload(self):
        port = free_port()
        sekisho = self.enterContext(Sekisho(self.origin.upstream, port=port)).wait_upstream()
        sekisho.listen = self.listen(port)
        sekisho.configure("")
        self.assertTrue(sekisho.reload())
        self.assertEqual(fetch_tls(sekisho.address, self.trusting).status, 200)
        sekisho.listen = f"127.0.0.1:{port}"
        sekisho.configure("")
        self.assertTrue(sekisho.reload())
        self.assertEqual(fetch(sekisho.address).status, 200)

    def test_check_tells_all_problems_of_all_files_in_one_run(self):
        with open(self.authority.path("bad.yaml"), "w", encoding="ascii") as file:
            file.write(
                "listen:\n  - {address: '0.0.0.0:1', tls: {certificate: none.pem, private_key: server.key}}\n"
                "  - {address: '0.0.0.0:2', tls: {certificate: ca.pem, private_key: server.key}}\n"
                "upstream: {servers: a:1, tls: {ca: server.key}}\nlimits: [{name: x}]\n"
            )
        done = run_command("check", "-c", self.authority.path("bad.yaml"))
        self.assertEqual(done.returncode, 1)
        for place, says in (
            ("2:47", "none.pem cannot be opened"), ("3:68", "server.key is not the key of the certificate in"),
            ("4:36", "server.key holds no certificate"), ("5:10", ""),
        ):
            self.assertRegex(done.stdout, rf"bad.yaml:{place}: .*{says}")
        started = run_command("run", "-c", self.authority.path("bad.yaml"))
        self.assertEqual((started.returncode, started.stdout), (1, ""))
        self.assertIn("none.pem cannot be opened", started.stderr)

    def test_large_bodies_are_whole_in_both_directions(self):
        sekisho = self.start()
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = self.authority.client()
            context.maximum_version = version
            client = self.client(sekisho, context=context)
            body = os.urandom(1024 * 1024) * 20
            answer = client.request("POST", "/upload", body=body)
            self.assertEqual(json.loads(answer.text), {"size": LARGE, "crc32": zlib.crc32(body)})
            answer = client.request("POST", "/upload", body=body, chunked=True)
            self.assertEqual(json.loads(answer.text), {"size": LARGE, "crc32": zlib.crc32(body)})
            plain = fetch(self.origin.address, f"/bytes?n={LARGE}")
            self.assertEqual(len(plain.body), LARGE)
            self.assertEqual(client.request("GET", f"/bytes?n={LARGE}").body, plain.body)

    def test_a_slow_reader_gets_it_whole(self):
        sekisho = self.start()
        client = self.client(sekisho)
        client.send(request_bytes("GET", f"/bytes?n={LARGE}", [("Connection", "close")]))
        wait_until(lambda: sekisho.metric("sekisho_buffer_bytes") > LARGE / 2, "the response waits for its reader")
        self.assertEqual(fetch_tls(sekisho.address, self.trusting).status, 200, "nobody else waits")
        answer = client.response()
        self.assertEqual(answer.body, fetch(self.origin.address, f"/bytes?n={LARGE}").body)
        self.assertTrue(client.at_end())
        self.assertFalse(client.cut)

    def test_pipelined_requests(self):
        client = self.client(self.start())
        client.send(b"".join(request_bytes("GET", f"/bytes?n={n}") for n in range(50)))
        self.assertEqual([len(client.response().body) for _ in range(50)], list(range(50)))

    def test_an_idle_connection_is_ended_properly(self):
        sekisho = self.start("client: {idle_timeout: 1500ms}\n")
        client = self.client(sekisho)
        self.assertEqual(client.request("GET", "/").status, 200)
        self.assertTrue(client.at_end())  # a missing close_notify would raise

    def test_an_idle_connection_that_went_quiet_serves_again(self):
        sekisho = self.start()
        client = self.client(sekisho)
        for _ in range(2):
            self.assertEqual(client.request("GET", "/healthz").status, 200)
            wait_until(lambda: sekisho.metric("sekisho_buffer_bytes") == 0, "its buffer is given back")

    def test_a_response_that_was_cut_looks_cut(self):
        def serve(connection, number):
            connection.recv(65536)
            if number == 0:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")
            else:
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\nall of it")

        upstream = self.enterContext(ScriptedUpstream(serve))
        sekisho = self.start(upstream=upstream.upstream)
        client = self.client(sekisho)
        with self.assertRaises(Truncated):
            client.request("GET", "/", version="HTTP/1.0")
        self.assertTrue(client.cut)
        client = self.client(sekisho)
        self.assertEqual(client.request("GET", "/", version="HTTP/1.0").text, "all of it")
        self.assertTrue(client.at_end())
        self.assertFalse(client.cut)

    def test_a_client_that_says_close_first_is_answered_and_closed_properly(self):
        sekisho = self.start()
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        raw = connect(sekisho.address)
        self.addCleanup(raw.close)
        tls = self.trusting.wrap_bio(incoming, outgoing, server_hostname="localhost")

        def drive(step):
            while True:
                try:
                    result = step()
                    raw.sendall(outgoing.read())
                    return result
                except ssl.SSLWantReadError:
                    raw.sendall(outgoing.read())
                    data = raw.recv(65536)
                    if not data:
                        raise AssertionError("a FIN without close_notify") from None
                    incoming.write(data)

        drive(tls.do_handshake)
        tls.write(request_bytes("GET", "/slow?ms=200", version="HTTP/1.0"))
        with self.assertRaises(ssl.SSLWantReadError):
            tls.unwrap()  # our close_notify goes out with the request
        raw.sendall(outgoing.read())
        while data := raw.recv(65536):
            incoming.write(data)
        incoming.write_eof()
        received = b""
        with self.assertRaises(ssl.SSLZeroReturnError):  # not SSLEOFError: the end was said
            while True:
                received += tls.read(65536)
        self.assertTrue(received.startswith(b"HTTP/1.1 200 OK\r\n"), received[:100])

    def test_behind_a_proxy_header(self):
        port = free_port()
        listen = f'{{address: "127.0.0.1:{port}", proxy_protocol: true, tls: {self.authority.pair("server")}}}'
        sekisho = self.enterContext(Sekisho(self.origin.upstream, port=port, listen=listen)).wait_upstream()
        raw = connect(sekisho.address)
        raw.sendall(b"PROXY TCP4 203.0.113.7 192.0.2.1 50000 443\r\n")
        tls = self.enterContext(self.trusting.wrap_socket(raw, server_hostname="localhost"))
        tls.sendall(request_bytes("GET", "/fields"))
        text = tls.recv(65536).lower()
        while b"x-forwarded-port" not in text:
            text += tls.recv(65536).lower()
        self.assertIn(b"x-forwarded-for: 203.0.113.7\r\n", text)
        self.assertIn(b"x-forwarded-proto: https\r\n", text)

    def test_plain_http_is_told_where_it_is(self):
        sekisho = self.start()
        answer = fetch(sekisho.address)
        self.assertEqual(answer.status, 400)
        self.assertIn("HTTPS", answer.text)

    def test_aborted_handshakes_leave_nothing_behind(self):
        sekisho = self.start("log: {level: debug}\n")
        before = descriptors(sekisho)
        hello = self.client_hello()
        for number in range(200):
            raw = connect(sekisho.address)
            raw.sendall((b"", hello, hello[:100], b"\x16\x03\x01\xff\xff" + b"x" * 1000, b"\x00" * 50)[number % 5])
            raw.close()
        wait_until(lambda: descriptors(sekisho) <= before, "every descriptor is back")
        wait_until(lambda: sekisho.metric("sekisho_client_connections") == 0, "no connection is counted any more")
        self.assertEqual(sekisho.metric("sekisho_requests_total", outcome="bad_request"), 0)
        self.assertEqual(fetch_tls(sekisho.address, self.trusting).status, 200)
        said = wait_until(lambda: sekisho.events("tls_handshake"), "who asks for debug is told")
        self.assertEqual({event["level"] for event in said}, {"debug"})

    def client_hello(self):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = self.trusting.wrap_bio(incoming, outgoing, server_hostname="localhost")
        with self.assertRaises(ssl.SSLWantReadError):
            tls.do_handshake()
        return outgoing.read()

    def test_a_handshake_that_drags_on_is_cut_and_counts_as_a_connection(self):
        sekisho = self.start("client: {header_timeout: 1s, max_connections: 3}\n")
        waiting = [connect(sekisho.address) for _ in range(3)]
        for raw in waiting:
            self.addCleanup(raw.close)
        wait_until(lambda: sekisho.metric("sekisho_client_connections", state="idle") == 3, "all are connections")
        with self.assertRaises(OSError):
            TlsClient(sekisho.address, self.trusting)
        self.assertEqual(sekisho.metric("sekisho_connections_refused_total"), 1)
        for raw in waiting:
            self.assertEqual(raw.recv(1), b"")
        self.assertEqual(fetch_tls(sekisho.address, self.trusting).status, 200)

    def test_a_drain_ends_what_is_idle_or_in_its_handshake_properly(self):
        sekisho = self.start("shutdown: {grace: 0s, drain: 20s}\n")
        idle = self.client(sekisho)
        self.assertEqual(idle.request("GET", "/").status, 200)
        raw = connect(sekisho.address)
        self.addCleanup(raw.close)
        busy = self.client(sekisho)
        busy.send(request_bytes("GET", "/slow?ms=1000"))
        wait_until(lambda: sekisho.metric("sekisho_client_connections", state="active") == 1, "it is being served")
        sekisho.signal(signal.SIGTERM)
        self.assertTrue(idle.at_end())
        self.assertEqual(busy.response().status, 200)
        self.assertTrue(busy.at_end())
        self.assertEqual(raw.recv(1), b"")
        self.assertEqual(sekisho.wait(10), 0)

    def test_a_session_is_resumed(self):
        sekisho = self.start(workers=2)
        session = None
        for turn in range(3):
            raw = connect(sekisho.address)
            self.addCleanup(raw.close)
            context = self.resuming if turn else self.authority.client()
            self.resuming = context
            tls = context.wrap_socket(raw, server_hostname="localhost", session=session)
            tls.sendall(request_bytes("GET", "/"))
            self.assertTrue(tls.recv(1))
            self.assertEqual(tls.session_reused, turn > 0)
            session = tls.session
            tls.close()


class WebSocketTest(TlsCase):
    def test_action_cable_over_wss(self):
        puma = self.enterContext(Puma())
        port = free_port()
        sekisho = self.enterContext(Sekisho(puma.upstream, port=port, listen=self.listen(port))).wait_upstream()
        client = TlsClient(sekisho.address, self.trusting)
        with WebSocket(sekisho.address, "/cable", [("Host", "localhost")], client=client) as cable:
            self.assertEqual(echoes(cable), ECHOED)
            self.assertTrue(cable.close())


if __name__ == "__main__":
    unittest.main(verbosity=2)
