"""Answers of the user's own: a limit's action with a body. And how the last answer of a connection is sent."""

import socket
import struct
import tempfile
import unittest

from support.http_client import Client, request_bytes
from support.process import wait_until
from support.sekisho import Origin, Sekisho


class AnswersTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.long = "sorry " * 100_000
        file = cls.enterClassContext(tempfile.NamedTemporaryFile("w", suffix=".txt"))
        file.write(cls.long)
        file.flush()
        settings = f"""
limits:
  - {{name: short, match: {{paths: [/short]}}, block: true, action: {{status: 410, body: gone}}}}
  - {{name: typed, match: {{paths: [/typed]}}, block: true, action: {{status: 403, body: <p>no, content_type: text/html}}}}
  - {{name: long, match: {{paths: [/long]}}, block: true, action: {{status: 403, body: "file:{file.name}"}}}}
"""
        origin = cls.enterClassContext(Origin())
        cls.sekisho = cls.enterClassContext(Sekisho(origin.upstream, settings)).wait_upstream()

    def test_bodies_come_whole_with_their_type_on_a_connection_that_stays(self):
        text = "text/plain; charset=utf-8"
        expected = {"/short": (410, text, "gone"), "/typed": (403, "text/html", "<p>no"), "/long": (403, text, self.long)}
        with Client(self.sekisho.address) as client:
            for target in [*expected, *expected]:
                response = client.request("GET", target)
                self.assertEqual((response.status, response.get("Content-Type"), response.text), expected[target])
                head = client.request("HEAD", target)
                self.assertEqual((head.get("Content-Length"), head.body), (response.get("Content-Length"), b""))
            self.assertEqual(client.request("GET", "/").status, 200)
        sizes = lambda: [line["bytes_out"] for line in self.sekisho.access_log() if (line["method"], line["path"]) == ("GET", "/long")]
        self.assertEqual(wait_until(sizes, "an access line of it")[0], len(self.long))

    def test_the_end_of_a_connection_is_no_segment_of_its_own(self):
        def segments(target):
            with Client(self.sekisho.address) as client:
                client.send(request_bytes("GET", target, [("Connection", "close")]))
                client.response()
                self.assertEqual(client.socket.recv(1), b"", "the end")
                # tcpi_segs_in: the handshake's answer, the request's acknowledgement unless it came with the response, and that.
                return struct.unpack_from("I", client.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256), 140)[0]

        for target in ["/bytes?n=1000", "/bytes?n=0", "/chunked?n=1000", "/short"]:
            # The kernel holds the bytes back for 200 ms at most: a machine under load may be later now and then.
            self.assertLessEqual(min(segments(target) for _ in range(5)), 3, target)


if __name__ == "__main__":
    unittest.main(verbosity=2)
