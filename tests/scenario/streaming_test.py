"""Bodies of any size and shape, with bounded memory, and clients and upstreams of every patience."""

import json
import socket
import threading
import time
import unittest
import zlib

from support.http_client import Client, fetch, request_bytes
from support.process import PATIENCE, wait_until
from support.sekisho import Origin, Sekisho
from support.upstream import ScriptedUpstream, read_head

SIZE = 50_000_000
SETTINGS = """
client: {max_body_bytes: 100MiB}
"""


class StreamingTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.origin = cls.enterClassContext(Origin())
        settings = SETTINGS + f"""
upstream:
  servers: "{cls.origin.upstream}"
  buffer: {{request: 64KiB, response: 1MiB, total: 32MiB}}
"""
        cls.sekisho = cls.enterClassContext(Sekisho(None, settings)).wait_upstream()
        cls.address = cls.sekisho.address

    def assert_bounded(self, before):
        grown = self.sekisho.memory_kib() - before
        self.assertLess(grown, 40 * 1024 * PATIENCE, f"{grown} KiB for a body of {SIZE // 1024} KiB")

    def test_50_mb_down(self):
        for target in ("bytes", "chunked"):
            with self.subTest(target), Client(self.address) as client:
                before = self.sekisho.memory_kib()
                client.send(request_bytes("GET", f"/{target}?n={SIZE}"))
                counted = [0]

                def take(_, piece, counted=counted):
                    counted[0] += len(piece)

                client.response(on_piece=take, keep_body=False)
                self.assertEqual(counted[0], SIZE)
                self.assert_bounded(before)
                self.assertEqual(client.request("GET", "/").status, 200)

    def test_50_mb_up(self):
        body = bytes(range(256)) * (SIZE // 256)
        expected = {"size": len(body), "crc32": zlib.crc32(body)}
        for chunked in (False, True):
            with self.subTest(chunked=chunked), Client(self.address) as client:
                before = self.sekisho.memory_kib()
                response = client.request("POST", "/upload", body=body, chunked=chunked)
                self.assertEqual((response.status, json.loads(response.body)), (200, expected))
                self.assert_bounded(before)
                self.assertEqual(client.request("GET", "/").status, 200)

    def test_a_client_that_does_not_read_costs_bounded_memory(self):
        before = self.sekisho.memory_kib()
        with Client(self.address) as client:
            client.send(request_bytes("GET", f"/bytes?n={SIZE}"))
            # Read ahead and then at rest: the buffer is full and the upstream held back.
            seen = []

            def at_rest():
                seen.append(self.sekisho.metric("sekisho_response_bytes_total"))
                return len(seen) > 30 and len(set(seen[-30:])) == 1

            wait_until(at_rest, "the flow stands still")
            self.assertLess(self.sekisho.metric("sekisho_buffer_bytes"), 8 * 1024 * 1024)
            self.assert_bounded(before)
            self.assertEqual(fetch(self.address, "/").status, 200)
            self.assertEqual(len(client.response().body), SIZE)

    def test_a_body_that_comes_slowly_occupies_no_server_until_it_is_there(self):
        with Client(self.address) as client:
            client.send(b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n")
            for byte in b"012345678":
                client.send(bytes([byte]))
                self.assertEqual(self.sekisho.metric("sekisho_upstream_in_flight"), 0)
            client.send(b"9")
            self.assertEqual(client.response().text, "0123456789")

    def test_head_and_bodiless_statuses(self):
        with Client(self.address) as client:
            response = client.request("HEAD", "/bytes?n=5000")
            self.assertEqual((response.status, response.get("Content-Length"), response.body), (200, "5000", b""))
            self.assertEqual(client.request("HEAD", "/chunked?n=5000").status, 200)
            for status in (204, 304):
                response = client.request("GET", f"/status/{status}")
                self.assertEqual((response.status, response.get("Transfer-Encoding")), (status, None))
            self.assertEqual(client.request("GET", "/bytes?n=0").body, b"")
            self.assertEqual(client.request("POST", "/echo", body=b"").body, b"")
            self.assertEqual(client.request("POST", "/echo", body=b"", chunked=True).body, b"")
            self.assertEqual(client.request("GET", "/").status, 200)

    def test_expect_100_continue(self):
        with Client(self.address) as client:
            client.send(b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
            wait_until(lambda: b"100 Continue" in self.peek(client), "100 Continue")
            client.send(b"hello")
            response = client.response()
            self.assertEqual((response.interim, response.status, response.text), ([100], 200, "hello"))
            self.assertEqual(client.request("GET", "/").interim, [])

    @staticmethod
    def peek(client):
        return client.socket.recv(4096, 2)

    def test_http_1_0_clients(self):
        with Client(self.address) as client:
            response = client.request("GET", "/bytes?n=20", version="HTTP/1.0")
            self.assertEqual((response.status, len(response.body)), (200, 20))
            self.assertTrue(client.at_end())
        with Client(self.address) as client:
            response = client.request("GET", "/chunked?n=50000", version="HTTP/1.0")
            self.assertEqual((response.status, response.get("Transfer-Encoding"), len(response.body)), (200, None, 50000))
        with Client(self.address) as client:
            for _ in range(2):
                response = client.request("GET", "/bytes?n=20", [("Connection", "keep-alive")], version="HTTP/1.0")
                self.assertEqual((response.status, response.get("Connection", "").lower()), (200, "keep-alive"))

    def test_pipelined_requests_are_answered_in_order(self):
        with Client(self.address) as client:
            requests = [request_bytes("POST", "/echo", body=b"%d" % number) for number in range(50)]
            client.send(b"".join(requests))
            self.assertEqual([client.response().text for _ in requests], [str(number) for number in range(50)])

    def test_a_request_in_single_bytes(self):
        with Client(self.address) as client:
            for byte in request_bytes("POST", "/echo", body=b"hello", chunked=True):
                client.send(bytes([byte]))
            self.assertEqual(client.response().text, "hello")

    def test_events_come_as_they_are_sent(self):
        with Client(self.address) as client:
            response = client.request("GET", "/events?count=5&ms=300")
        times = [at for at, _ in response.pieces]
        self.assertEqual(len(times), 5)
        self.assertGreater(min(b - a for a, b in zip(times, times[1:])), 0.15)

    def test_a_tunnel_carries_bytes_both_ways(self):
        with Client(self.address) as client:
            client.send(b"GET /echo HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
            self.assertEqual(client.response().status, 101)
            wait_until(lambda: self.sekisho.metric("sekisho_tunnels_active") == 1, "the tunnel is counted")
            sent = bytes(range(256)) * 4000
            sender = threading.Thread(target=client.send, args=(sent,))
            sender.start()
            got = b""
            while len(got) < len(sent):
                got += client.socket.recv(65536)
            sender.join()
            self.assertEqual(got, sent)
        wait_until(lambda: self.sekisho.metric("sekisho_tunnels_active") == 0, "the tunnel's end is counted")

    def test_a_tunnel_delivers_the_last_words_of_a_side_that_listens_no_more(self):
        words = b"x" * 20_000_000  # more than the sockets on the way hold

        def serve(connection, _):
            read_head(connection)
            # On a UNIX socket the other side's next write fails at once, however much it has yet to read.
            connection.shutdown(socket.SHUT_RD)
            connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
            connection.sendall(words)

        upstream = self.enterContext(ScriptedUpstream(serve, unix=True))
        sekisho = self.enterContext(Sekisho(upstream.upstream)).wait_upstream()
        with Client(sekisho.address) as client:
            client.send(b"GET /echo HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
            self.assertEqual(client.response().status, 101)
            client.send(b"is anybody there?")
            got = len(client.buffer)
            while piece := client.socket.recv(65536):
                got += len(piece)
            self.assertEqual(got, len(words))

    def test_bytes_after_an_early_answer_touch_no_other_connection(self):
        """A client goes on sending a body that nobody wants any more, while another's head waits in a buffer of the same size."""

        def serve(connection, _):
            read_head(connection)
            connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno")
            while connection.recv(65536):
                pass

        upstream = self.enterContext(ScriptedUpstream(serve))
        sekisho = self.enterContext(Sekisho(upstream.upstream)).wait_upstream()
        for _ in range(3):
            with Client(sekisho.address) as sender, Client(sekisho.address) as bystander:
                sender.send(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500000\r\n\r\n" + b"b" * 70_000)
                self.assertEqual(sender.response().text, "no")
                head = request_bytes("GET", "/", [("Cookie", "c" * 5000), ("Accept", "a" * 5000)])
                bystander.send(head[:-2])
                wait_until(
                    lambda: sekisho.metric("sekisho_client_connections", state="active") == 1, "the head waits in its buffer"
                )
                sender.send(b"\0" * 4000)
                self.assertTrue(sender.at_end())
                bystander.send(head[-2:])
                self.assertEqual(bystander.response().status, 200)

    def test_an_upload_may_wait_for_the_upstream(self):
        """The client's time does not run while the upstream takes nothing."""
        size = 20_000_000  # more than the sockets on the way hold
        go_on = threading.Event()

        def serve(connection, _):
            left = size - len(read_head(connection).split(b"\r\n\r\n", 1)[1])
            go_on.wait(20 * PATIENCE)
            while left > 0 and (piece := connection.recv(1 << 20)):
                left -= len(piece)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

        upstream = self.enterContext(ScriptedUpstream(serve))
        patience = 2 * PATIENCE
        sekisho = self.enterContext(Sekisho(upstream.upstream, f"client: {{body_timeout: {patience:.0f}s}}\n"))
        with Client(sekisho.address) as client:
            sender = threading.Thread(target=client.send, args=(request_bytes("POST", "/", body=b"x" * size),))
            sender.start()
            client.socket.settimeout(1.5 * patience)
            with self.assertRaises(TimeoutError):
                client.socket.recv(1)
            client.socket.settimeout(20 * PATIENCE)
            go_on.set()
            self.assertEqual(client.response().text, "ok")
            sender.join()

    def test_held_bodies_stay_within_the_total(self):
        def serve(connection, _):
            while connection.recv(65536):
                pass

        upstream = self.enterContext(ScriptedUpstream(serve))
        total = 16 * 1024 * 1024
        settings = f'upstream: {{servers: "{upstream.upstream}", buffer: {{request: 1MiB, response: 1MiB, total: {total}}}}}\n'
        sekisho = self.enterContext(Sekisho(None, settings))
        part = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 900_000
        clients = [self.enterContext(Client(sekisho.address)) for _ in range(40)]
        for client in clients:
            client.send(part)
        wait_until(lambda: sekisho.metric("sekisho_upstream_in_flight") > 0, "what finds no room goes on to the upstream")
        self.assertLess(sekisho.metric("sekisho_buffer_bytes"), total + 40 * 64 * 1024)

    def test_beyond_the_total_a_body_that_flows_holds_little(self):
        # Connections are made, and nobody reads from them.
        upstream = self.enterContext(socket.create_server(("127.0.0.1", 0), backlog=1024))
        total, count = 1024 * 1024, 200
        settings = f'upstream: {{servers: "127.0.0.1:{upstream.getsockname()[1]}", buffer: {{response: 1MiB, total: {total}}}}}\n'
        sekisho = self.enterContext(Sekisho(None, settings)).wait_upstream()
        # Until it stands still: the sockets of both sides are full then.
        part = b"x" * 1024 * 1024
        clients = [self.enterContext(Client(sekisho.address)) for _ in range(count)]
        for client in clients:
            client.send(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000\r\n\r\n")
            client.socket.setblocking(False)
        taken = []

        def at_rest():
            sent = 0
            for client in clients:
                try:
                    sent += client.socket.send(part)
                except BlockingIOError:
                    pass
            taken.append(sent)
            return len(taken) > 50 and not any(taken[-50:])

        wait_until(at_rest, "the flow stands still", 30)
        held = sekisho.metric("sekisho_buffer_bytes")
        print(f"each holds {(held - total) / count / 1024:.0f} KiB")
        self.assertLess(held, total + count * 36 * 1024)

    def test_a_pooled_connection_keeps_no_buffer(self):
        sekisho = self.enterContext(Sekisho(self.origin.upstream)).wait_upstream()
        for target in ("bytes", "chunked"):
            self.assertEqual(len(fetch(sekisho.address, f"/{target}?n=5000000").body), 5_000_000)
            # Well before the pool closes it for being idle.
            wait_until(lambda: sekisho.metric("sekisho_buffer_bytes") == 0, "the buffer is given back", 5)

    def test_beyond_the_total_a_request_holds_little(self):
        total = 1024 * 1024
        settings = f'upstream: {{servers: "{self.origin.upstream}", buffer: {{response: 1MiB, total: {total}}}}}\n'
        sekisho = self.enterContext(Sekisho(None, settings)).wait_upstream()
        readers = [self.enterContext(Client(sekisho.address)) for _ in range(60)]
        for reader in readers:
            reader.send(request_bytes("GET", f"/bytes?n={SIZE}"))
        for reader in readers:
            self.assertTrue(reader.socket.recv(1))
        held = []

        def at_rest():
            held.append(sekisho.metric("sekisho_response_bytes_total"))
            return len(held) > 30 and len(set(held[-30:])) == 1

        wait_until(at_rest, "the flow stands still")
        self.assertLess(sekisho.metric("sekisho_buffer_bytes"), total + 60 * 64 * 1024)
        # A head beyond an ordinary one's size has to find room; an ordinary one is always served.
        long = [(f"X-{number}", "a" * 8000) for number in range(4)]
        self.assertEqual(fetch(sekisho.address, "/", fields=long).status, 503)
        self.assertEqual(fetch(sekisho.address, "/", fields=long[:1]).status, 200)
        for reader in readers:
            reader.close()
        wait_until(lambda: sekisho.metric("sekisho_buffer_bytes") < total / 2, "the buffers are given back")
        self.assertEqual(fetch(sekisho.address, "/", fields=long).status, 200)

    def test_a_slow_reader_frees_the_upstream(self):
        """A response that fits the buffer is taken from the upstream at once, though its client reads nothing."""
        taken = threading.Event()

        def serve(connection, _):
            read_head(connection)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 20000000\r\n\r\n" + b"x" * 20_000_000)
            taken.set()
            connection.recv(1)

        upstream = self.enterContext(ScriptedUpstream(serve))
        sekisho = self.enterContext(Sekisho(upstream.upstream))
        with Client(sekisho.address) as client:
            client.send(request_bytes("GET", "/"))
            self.assertTrue(taken.wait(20 * PATIENCE), "the upstream waits for a slow client")
            wait_until(lambda: sekisho.metric("sekisho_upstream_in_flight") == 0, "the server is free")
            self.assertEqual(len(client.response().body), 20_000_000)
        wait_until(lambda: sekisho.metric("sekisho_buffer_bytes") < 1024 * 1024, "the buffer is given back")

    def test_a_byte_that_a_slow_client_took_keeps_its_tunnel(self):
        """What the server sent stands in the proxy, and nothing else comes: the client's taking it is what goes on."""
        tunnel_timeout = int(2 * PATIENCE)
        servers = []

        def serve(connection, _):
            read_head(connection)
            connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
            servers.append(connection)
            threading.Event().wait(60 * PATIENCE)

        upstream = self.enterContext(ScriptedUpstream(serve))
        settings = f'upstream: {{servers: "{upstream.upstream}", tunnel_timeout: {tunnel_timeout}s}}\n'
        sekisho = self.enterContext(Sekisho(None, settings)).wait_upstream()
        with Client(sekisho.address, timeout=60) as client:
            client.send(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
            read_head(client.socket)
            wait_until(lambda: servers, "the tunnel is made")
            held = lambda: sekisho.metric("sekisho_buffer_bytes")
            empty, sent = held(), 0
            while held() < empty + 32 * 1024:
                servers[0].sendall(b"x" * 16384)
                sent += 16384
            time.sleep(0.6 * tunnel_timeout)
            while sent > 0:
                sent -= len(client.socket.recv(65536))
            time.sleep(0.6 * tunnel_timeout)
            servers[0].sendall(b"end")
            self.assertEqual(client.socket.recv(100), b"end")

    def test_max_in_flight_lets_requests_wait_in_turn(self):
        settings = f"""
upstream: {{servers: "{self.origin.upstream}", max_in_flight: 1, queue: {{size: 2, timeout: 5s}}}}
"""
        sekisho = self.enterContext(Sekisho(None, settings)).wait_upstream()
        began = time.monotonic()
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(fetch(sekisho.address, "/slow?ms=400"))) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(answer.status for answer in answers), [200, 200, 200, 503, 503, 503])
        self.assertTrue(all(answer.get("Retry-After") for answer in answers if answer.status == 503))
        self.assertGreaterEqual(time.monotonic() - began, 1.15)
        self.assertEqual(sekisho.metric("sekisho_requests_total", outcome="queue_full"), 3)

    def test_a_client_that_goes_leaves_the_queue_whatever_it_sent_ahead(self):
        settings = f"""
upstream: {{servers: "{self.origin.upstream}", max_in_flight: 1, queue: {{timeout: 1min}}}}
"""
        sekisho = self.enterContext(Sekisho(None, settings)).wait_upstream()
        with Client(sekisho.address) as slow, Client(sekisho.address) as client:
            slow.send(request_bytes("GET", "/slow?ms=60000"))
            wait_until(lambda: sekisho.metric("sekisho_upstream_in_flight") == 1, "one is in progress")
            client.send(request_bytes("GET", "/gone") + request_bytes("GET", "/ahead") * 500)
            wait_until(lambda: sekisho.metric("sekisho_upstream_queue_length") == 1, "another waits")
            client.close()
            wait_until(lambda: sekisho.metric("sekisho_requests_total", outcome="client_abort") == 1, "it is dropped")
            self.assertEqual(sekisho.metric("sekisho_upstream_queue_length"), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
