"""Trailers of requests in front of real puma, which does not read them: its request comes whole, and nobody else's is touched."""

import json
import unittest

from support.http_client import Client, Truncated, fetch, request_bytes
from support.sekisho import Puma, Sekisho

HOST = [("Host", "www.example.jp")]
BODY = json.dumps({"title": "gate"}).encode()
# The last two are what older pumas took for a chunk and for a request.
SECTIONS = [b"X-Sum: 1\r\n", b"X-A: 1\r\nX-B:\r\n", b"a: 5;x\r\n", b"aa: GET /evil HTTP/1.1\r\nX-Host: www.example.jp\r\n"]


def with_trailers(section):
    fields = [*HOST, ("Content-Type", "application/json")]
    whole = request_bytes("POST", "/api/articles", fields, BODY, chunked=True)
    return whole[: -len(b"\r\n")] + section + b"\r\n"


class TrailersTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.puma = cls.enterClassContext(Puma())
        cls.sekisho = cls.enterClassContext(Sekisho(cls.puma.upstream, "hosts: [www.example.jp]\n"))

    def test_a_request_with_trailers_comes_whole_and_the_next_is_its_own(self):
        before = len(self.puma.requests())
        with Client(self.sekisho.address) as client:
            for section in SECTIONS * 3:
                client.send(with_trailers(section))
                response = client.response()
                self.assertEqual((response.status, json.loads(response.body)), (201, {"id": 2, "title": "gate"}))
                self.assertEqual(client.request("GET", "/", HOST).status, 200)
        came = [(request["method"], request["path"]) for request in self.puma.requests()[before:]]
        self.assertEqual(came, [("POST", "/api/articles"), ("GET", "/")] * (3 * len(SECTIONS)))

    def test_what_puma_makes_of_large_ones_is_the_senders_alone(self):
        large = b"".join(b"X-%d: %s\r\n" % (number, b"v" * 30) for number in range(350))
        for _ in range(5):
            with Client(self.sekisho.address) as client:
                client.send(with_trailers(large))
                try:
                    client.response()  # puma 5.6 may answer 500: it loses count where its read ends within them
                except Truncated:
                    pass
            for _ in range(3):
                self.assertEqual(fetch(self.sekisho.address, "/", fields=HOST).status, 200)


if __name__ == "__main__":
    unittest.main()
