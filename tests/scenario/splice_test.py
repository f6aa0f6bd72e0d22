"""Large bodies of known length go from socket to socket through a pipe: whole, at the pace of both sides, and nothing else with them."""

import collections
import os
import socket
import tempfile
import threading
import unittest

from support.http_client import Client, Truncated, fetch, request_bytes
from support.process import wait_until
from support.sekisho import Origin, Sekisho
from support.upstream import ScriptedUpstream, read_head


class SpliceTest(unittest.TestCase):
    def proxy(self, serve, **arguments):
        upstream = self.enterContext(ScriptedUpstream(serve))
        return self.enterContext(Sekisho(upstream.upstream, **arguments)).wait_upstream()

    def test_large_bodies_go_through_a_pipe_of_our_own(self):
        """And it is closed when nobody needs it any more."""
        sekisho = self.enterContext(Sekisho(self.enterContext(Origin()).upstream)).wait_upstream()

        def pipes():
            ends = collections.Counter()
            for entry in os.scandir(f"/proc/{sekisho.child.pid}/fd"):
                try:
                    ends[os.readlink(entry.path)] += 1
                except FileNotFoundError:
                    pass  # closed meanwhile
            return sum(link.startswith("pipe:") and count == 2 for link, count in ends.items())

        over = threading.Event()

        def fetch_again_and_again():
            while not over.is_set():
                fetch(sekisho.address, "/bytes?n=20000000")

        before = pipes()
        fetching = threading.Thread(target=fetch_again_and_again)
        fetching.start()
        try:
            wait_until(lambda: pipes() > before, "a large body goes through a pipe", 20)
        finally:
            over.set()
            fetching.join()
        wait_until(lambda: pipes() == before, "the pipe is closed", 20)

    def test_a_slow_but_steady_reader_frees_the_upstream_too(self):
        """It takes something all the time, only less than the server gives."""
        size = 16 << 20
        sent = threading.Event()

        def serve(connection, _):
            read_head(connection)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + bytes(size))
            sent.set()

        with tempfile.TemporaryDirectory() as folder:
            self.proxy(serve, listen=f"unix:{folder}/s")
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(f"{folder}/s")
                client.settimeout(60)
                client.sendall(request_bytes("GET", "/"))
                got = 0
                while not sent.is_set():
                    got += len(client.recv(32 * 1024))
                    sent.wait(0.005)
                self.assertLess(got, size * 3 // 4, "the server waits for the client")
                while got < size:
                    got += len(client.recv(1 << 20))

    def test_dying_in_a_large_body_is_all_that_came_and_a_cut(self):
        """A body that goes through a pipe: what stands in that when the server dies is the client's."""
        sent = os.urandom(1 << 20) * 24  # more than the sockets on the way hold

        def serve(connection, _):
            read_head(connection)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n" + sent)

        sekisho = self.proxy(serve)
        for slow in (False, True):
            with self.subTest(slow=slow), Client(sekisho.address) as client:
                client.send(request_bytes("GET", "/"))
                if slow:  # its body is read ahead of it, into our memory
                    wait_until(lambda: sekisho.metric("sekisho_buffer_bytes") > 1 << 20, "the server is read ahead of it")
                with self.assertRaises(Truncated) as caught:
                    client.response()
                self.assertEqual(caught.exception.args[0].body, sent)

    def test_bytes_behind_a_large_body_answer_no_later_request(self):
        """Of a body that goes through a pipe exactly its length is read: what stands behind it is still in the socket."""
        for size in (100_000, 300_000):

            def serve(connection, _, size=size):
                while head := read_head(connection):
                    if b"/large" in head:
                        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
                        connection.sendall(bytes(size) + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL")
                    else:
                        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nGOOD")

            sekisho = self.proxy(serve)
            with self.subTest(size=size), Client(sekisho.address) as client:
                client.send(request_bytes("GET", "/large") + request_bytes("GET", "/next"))
                self.assertEqual(len(client.response().body), size)
                self.assertEqual(client.response().body, b"GOOD")


if __name__ == "__main__":
    unittest.main(verbosity=2)
