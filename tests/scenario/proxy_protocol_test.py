"""The PROXY protocol on a listener: from trusted peers alone, whole or not at all, and its source in the peer's place everywhere."""

import os
import socket
import struct
import subprocess
import tempfile
import time
import unittest

from support.http_client import Client, request_bytes
from support.process import Process, accepts, free_port, wait_until
from support.sekisho import Origin, Sekisho, fields_of

TRUSTED = "client_ip: {trusted_proxies: [127.0.0.1/32]}\n"
LINE = b"PROXY TCP4 203.0.113.9 198.51.100.1 50000 443\r\n"
SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"


def block(command, family, payload):
    return SIGNATURE + struct.pack("!BBH", 0x20 | command, family, len(payload)) + payload


BLOCK6 = block(1, 0x21, socket.inet_pton(socket.AF_INET6, "2001:db8::9") + socket.inet_pton(socket.AF_INET6, "::1") + struct.pack("!HH", 50000, 8443))


class ProxyProtocolTest(unittest.TestCase):
    def setUp(self):
        self.origin = self.enterContext(Origin())
        self.port = free_port()
        self.address = ("127.0.0.1", self.port)

    def start(self, settings=TRUSTED, listen=None, **options):
        listen = listen or f'[{{address: "0.0.0.0:{self.port}", proxy_protocol: true}}]'
        return self.enterContext(Sekisho(self.origin.upstream, settings, listen=listen, **options)).wait_upstream()

    def ask(self, header, target="/fields", fields=(), address=None):
        with Client(address or self.address) as client:
            client.send(header + request_bytes("GET", target, [*fields, ("Connection", "close")]))
            return client.response()

    def is_closed_without_a_word(self, client):
        try:
            self.assertEqual(client.socket.recv(100), b"")
        except ConnectionResetError:
            pass

    def test_the_source_takes_the_peers_place(self):
        sekisho = self.start(TRUSTED + "limits: [{name: one, match: {paths: [/limited]}, rate: 1/h}]\n")
        for header, source, port in ((LINE, "203.0.113.9", "443"), (BLOCK6, "2001:db8::9", "8443")):
            sent = fields_of(self.ask(header, fields=[("X-Forwarded-For", "192.0.2.1"), ("X-Forwarded-Port", "1")]))
            self.assertEqual((sent["x-forwarded-for"], sent["x-forwarded-port"]), (source, port))
        lines = wait_until(lambda: len(sekisho.access_log()) == 2 and sekisho.access_log(), "the lines are written")
        self.assertEqual([(line["client_ip"], line["peer_ip"]) for line in lines], [(source, source) for source in ("203.0.113.9", "2001:db8::9")])
        codes = [self.ask(header, "/limited").status for header in (LINE, LINE, LINE.replace(b".9 ", b".8 "))]
        self.assertEqual(codes, [200, 429, 200])

    def test_a_proxy_that_speaks_for_itself_stays_the_peer(self):
        self.start()
        for header in (b"PROXY UNKNOWN\r\n", block(0, 0, b""), block(1, 0, b"xyz"), block(1, 0x31, 216 * b"/")):
            sent = fields_of(self.ask(header, fields=[("X-Forwarded-For", "192.0.2.1")]))
            self.assertEqual((sent["x-forwarded-for"], sent["x-forwarded-port"]), ("192.0.2.1", str(self.port)))

    def test_it_may_come_in_pieces_and_ends_where_it_ends(self):
        sekisho = self.start()
        for header in (LINE, BLOCK6, block(1, 0x11, 12 * b"\x01" + 4000 * b"\x04")):
            with Client(self.address) as client:
                data = header + request_bytes("GET", "/")
                for at in range(min(len(data), 80)):
                    client.send(data[at : at + 1])
                client.send(data[80:])
                self.assertEqual(client.response().status, 200)
                self.assertEqual(client.request("GET", "/").status, 200)
        with Client(self.address) as waiting:
            waiting.send(LINE[:20])
            wait_until(lambda: sekisho.metric("sekisho_client_connections", state="idle") >= 1, "it waits")
            spent, began = sekisho.cpu_seconds(), time.monotonic()
            wait_until(lambda: time.monotonic() > began + 1, "a second is over")
            self.assertLess(sekisho.cpu_seconds() - spent, 0.2)
            waiting.send(LINE[20:] + request_bytes("GET", "/"))
            self.assertEqual(waiting.response().status, 200)

    def test_without_a_header_there_is_no_word(self):
        sekisho = self.start(TRUSTED + "client: {header_timeout: 500ms}\n")
        first_bytes = (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"PROXY TCP4 x\r\n", LINE.replace(b"TCP4", b"TCP6"), block(2, 0x11, 12 * b"x"), LINE[:-1], b"")
        for data in first_bytes:
            with Client(self.address) as client:
                client.send(data)
                self.is_closed_without_a_word(client)
        with Client(self.address) as client:
            client.send(LINE[:20])
            wait_until(lambda: sekisho.metric("sekisho_client_connections") == 1, "it is seen")
        wait_until(lambda: sekisho.metric("sekisho_connections_refused_total") == len(first_bytes) + 1, "each is counted")
        told = sekisho.events("connections_refused")
        self.assertEqual(len(told), 1)
        self.assertIn("refuses a connection of 127.0.0.1: it does not begin with a PROXY header", told[0]["message"])
        # A balancer's check that connects and leaves is none of them.
        self.assertTrue(accepts(self.address))
        self.assertEqual(self.ask(LINE).status, 200)
        self.assertEqual(sekisho.metric("sekisho_connections_refused_total"), len(first_bytes) + 1)
        self.assertEqual(sekisho.metric("sekisho_requests_total"), 1)
        wait_until(lambda: sekisho.metric("sekisho_client_connections") == 0, "none is left")

    def test_another_peer_may_send_none(self):
        sekisho = self.start()
        with Client(("127.0.0.1", self.port)) as trusted, socket.socket() as stranger:
            stranger.bind(("127.0.0.2", 0))
            stranger.connect(self.address)
            self.assertEqual(stranger.recv(1), b"")
            trusted.send(LINE + request_bytes("GET", "/"))
            self.assertEqual(trusted.response().status, 200)
        told = wait_until(lambda: sekisho.events("connections_refused"), "the log says so")
        self.assertEqual(told[0]["peer"], "127.0.0.2")
        self.assertIn("not one of client_ip.trusted_proxies", told[0]["message"])

    def test_no_room_is_no_word_either(self):
        sekisho = self.start(TRUSTED + "client: {max_connections: 1}\n")
        with Client(self.address) as first:
            first.send(LINE + request_bytes("GET", "/"))
            self.assertEqual(first.response().status, 200)
            with Client(self.address) as second:
                second.send(LINE + request_bytes("GET", "/"))
                self.is_closed_without_a_word(second)
        self.assertEqual(sekisho.metric("sekisho_connections_refused_total"), 1)

    def test_on_a_unix_socket(self):
        folder = self.enterContext(tempfile.TemporaryDirectory(prefix="sekisho-test-"))
        path = os.path.join(folder, "http.sock")
        self.start("", f"[{{address: 'unix:{path}', proxy_protocol: true}}]")
        sent = fields_of(self.ask(LINE, address=path))
        self.assertEqual((sent["x-forwarded-for"], sent["x-forwarded-port"]), ("203.0.113.9", "443"))

    def test_a_reload_turns_it_on_and_off_for_new_connections(self):
        sekisho = self.start()
        with Client(self.address) as kept:
            kept.send(LINE)
            self.assertEqual(kept.request("GET", "/").status, 200)
            sekisho.listen = f"0.0.0.0:{self.port}"
            sekisho.configure(TRUSTED)
            self.assertTrue(sekisho.reload())
            self.assertEqual(self.ask(b"").status, 200)
            self.assertEqual(self.ask(LINE).status, 400)
            self.assertFalse(kept.request("GET", "/").closes)

    def test_who_has_said_nothing_holds_up_no_drain(self):
        sekisho = self.start(TRUSTED + "shutdown: {grace: 0s, drain: 25s}\n")
        with Client(self.address) as silent, Client(self.address) as begun:
            begun.send(LINE[:10])
            wait_until(lambda: sekisho.metric("sekisho_client_connections") == 2, "both wait")
            began = time.monotonic()
            sekisho.child.terminate()
            self.is_closed_without_a_word(silent)
            self.is_closed_without_a_word(begun)
            self.assertEqual(sekisho.wait(), 0)
            self.assertLess(time.monotonic() - began, 8)

    def test_curl_and_haproxy_speak_it(self):
        self.start("")
        sent = subprocess.run(["/usr/bin/curl", "-sS", "--haproxy-protocol", f"http://localhost:{self.port}/fields"], capture_output=True, text=True, check=True, timeout=60)
        self.assertIn("x-forwarded-for: 127.0.0.1", sent.stdout.lower())
        ports = [free_port(), free_port(), free_port()]
        options = ["send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options crc32c,unique-id"]
        parts = [
            f"listen l{port}\n bind 127.0.0.1:{port}\n unique-id-format %[uuid]\n server s 127.0.0.1:{self.port} {option}\n"
            for port, option in zip(ports, options)
        ]
        folder = tempfile.TemporaryDirectory(prefix="sekisho-test-")
        path = os.path.join(folder.name, "haproxy.cfg")
        with open(path, "w", encoding="ascii") as file:
            file.write("defaults\n mode http\n timeout connect 10s\n timeout client 30s\n timeout server 30s\n" + "".join(parts))
        haproxy = self.enterContext(Process(["/usr/sbin/haproxy", "-db", "-f", path], folder=folder))
        haproxy.wait_ready(lambda: all(accepts(("127.0.0.1", port)) for port in ports), "haproxy")
        for port, option in zip(ports, options):
            with self.subTest(option), socket.create_connection(("127.0.0.1", port), source_address=("127.0.0.3", 0)) as viewer:
                viewer.sendall(b"GET /fields HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                text = viewer.makefile("rb").read().decode("latin-1").lower()
                self.assertIn("x-forwarded-for: 127.0.0.3\r\n", text)
                self.assertIn(f"x-forwarded-port: {port}\r\n", text)


if __name__ == "__main__":
    unittest.main(verbosity=2)
