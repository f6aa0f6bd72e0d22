"""A real Rails application on real puma: what a browser and an API client do must work the same through Sekisho as without it."""

import hashlib
import json
import os
import re
import time
import unittest

from support.http_client import Client, fetch
from support.sekisho import Puma, Sekisho
from support.websocket import ECHOED, WebSocket, echoes

SETTINGS = """
hosts: [www.example.jp]
limits:
  - {name: per-client, rate: 1000/s}
"""
HOST = [("Host", "www.example.jp")]


class RailsCases:
    """The cases; run against each way to reach the application."""

    def test_page(self):
        response = fetch(self.address, "/", fields=HOST)
        self.assertEqual(response.status, 200)
        self.assertIn("<h1>Welcome</h1>", response.text)
        self.assertIn("www.example.jp", response.text)

    def test_many_pages_on_one_connection(self):
        with Client(self.address) as client:
            for number in range(25):
                response = client.request("GET", f"/?n={number}", HOST)
                self.assertEqual(response.status, 200)
                if response.closes:  # puma itself ends a connection now and then
                    client = Client(self.address)

    def test_form_post_with_its_token_and_session(self):
        form = fetch(self.address, "/form", fields=HOST)
        token = re.search(r'name="authenticity_token" value="([^"]+)"', form.text).group(1)
        cookie = form.get("Set-Cookie").split(";")[0]
        body = f"authenticity_token={token.replace('+', '%2B').replace('/', '%2F').replace('=', '%3D')}&title=sekisho"
        fields = [*HOST, ("Cookie", cookie), ("Content-Type", "application/x-www-form-urlencoded")]
        created = fetch(self.address, "/articles", "POST", fields, body.encode())
        self.assertEqual((created.status, created.text), (201, "created sekisho"))
        forged = fetch(self.address, "/articles", "POST", HOST, b"title=forged")
        self.assertEqual(forged.status, 422)

    def test_redirect_names_the_host_the_client_used(self):
        response = fetch(self.address, "/redirect", fields=HOST)
        self.assertEqual((response.status, response.get("Location")), (302, "http://www.example.jp/form"))

    def test_json(self):
        self.assertEqual(json.loads(fetch(self.address, "/api/articles", fields=HOST).body)["articles"][0]["title"], "関所")
        body = json.dumps({"title": "gate"}).encode()
        fields = [*HOST, ("Content-Type", "application/json")]
        for chunked in (False, True):
            response = fetch(self.address, "/api/articles", "POST", fields, body, chunked=chunked)
            self.assertEqual((response.status, json.loads(response.body)), (201, {"id": 2, "title": "gate"}))

    def test_no_content_and_not_modified(self):
        with Client(self.address) as client:
            self.assertEqual(client.request("GET", "/empty", HOST).status, 204)
            fresh = client.request("GET", "/cached", HOST)
            again = client.request("GET", "/cached", [*HOST, ("If-None-Match", fresh.get("ETag"))])
            self.assertEqual((fresh.status, again.status, again.body), (200, 304, b""))
            self.assertEqual(client.request("HEAD", "/", HOST).body, b"")
            self.assertEqual(client.request("GET", "/up", HOST).text, "up")

    def test_upload_of_5_mb(self):
        content = os.urandom(5_000_000)
        boundary = "----sekisho"
        disposition = 'Content-Disposition: form-data; name="file"; filename="seal.bin"'
        body = f"--{boundary}\r\n{disposition}\r\nContent-Type: application/octet-stream\r\n\r\n".encode()
        body += content + f"\r\n--{boundary}--\r\n".encode()
        fields = [*HOST, ("Content-Type", f"multipart/form-data; boundary={boundary}")]
        for chunked in (False, True):
            answer = json.loads(fetch(self.address, "/upload", "POST", fields, body, chunked=chunked).body)
            expected = {"name": "seal.bin", "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            self.assertEqual(answer, expected)

    def test_event_stream_arrives_piece_by_piece(self):
        with Client(self.address) as client:
            response = client.request("GET", "/events?count=5&pause=0.5", HOST)
        self.assertEqual(response.get("Content-Type"), "text/event-stream")
        numbers = [int(number) for number in re.findall(r'"number":(\d)', response.text)]
        self.assertEqual(numbers, [0, 1, 2, 3, 4])
        times = [at for at, piece in response.pieces]
        self.assertEqual(len(times), 5)
        gaps = [later - earlier for earlier, later in zip(times, times[1:])]
        # The application pauses 0.5 s before each: none may be held back until the next one comes. (puma corks its TCP
        # socket, so that the kernel holds all pieces but the last for 0.2 s: the last gap may be 0.3 s.)
        self.assertGreater(min(gaps), 0.15, gaps)
        self.assertLess(max(gaps), 1.5, gaps)

    def test_websocket_echo_by_action_cable(self):
        with WebSocket(self.address, "/cable", HOST) as socket:
            self.assertEqual(socket.response.get("Sec-WebSocket-Protocol"), "actioncable-v1-json")
            self.assertEqual(echoes(socket), ECHOED)
            self.assertTrue(socket.close())


class DirectTest(RailsCases, unittest.TestCase):
    """The control: the cases hold of puma itself."""

    @classmethod
    def setUpClass(cls):
        cls.puma = cls.enterClassContext(Puma())
        cls.address = cls.puma.address


class ProxiedCases(RailsCases):
    def test_fields_that_reach_the_application(self):
        claimed = [
            ("X-Forwarded-For", "192.0.2.66, 203.0.113.7"),
            ("X-Real-IP", "192.0.2.66"),
            ("X_Forwarded_For", "192.0.2.66"),
            ("Client-IP", "192.0.2.66"),
            ("Forwarded", "for=192.0.2.66;host=evil.example"),
            ("X-Forwarded-Host", "evil.example"),
            ("X-Forwarded-Ssl", "on"),
            ("X-Forwarded-Proto", "https"),
            ("X-Forwarded-Port", "443"),
            ("X-Request-Start", "t=1"),
            ("X-Request-Id", "from-the-balancer.1"),
            ("X-Original-URL", "/admin"),
            ("X-Sendfile-Type", "X-Accel-Redirect"),
            ("Proxy", "http://192.0.2.66"),
            ("Sekisho-Shadow", "mine"),
            ("X-Application", "kept"),
            ("Connection", "X-Named"),
            ("X-Named", "by Connection"),
        ]
        before = time.time()
        with Client(self.address) as client:
            answer = json.loads(client.request("GET", "/fields?a=%2F", [*HOST, *claimed]).body)
        after = time.time()
        fields = answer["fields"]
        self.assertEqual(fields["HTTP_X_FORWARDED_FOR"], "203.0.113.7")
        self.assertEqual(fields["HTTP_X_REAL_IP"], "203.0.113.7")
        self.assertEqual(fields["HTTP_X_FORWARDED_HOST"], "www.example.jp")
        self.assertEqual(fields["HTTP_HOST"], "www.example.jp")
        self.assertEqual(fields["HTTP_X_FORWARDED_PROTO"], "https")
        self.assertEqual(fields["HTTP_X_FORWARDED_PORT"], "443")
        self.assertEqual(fields["HTTP_X_REQUEST_ID"], "from-the-balancer.1")
        self.assertEqual(fields["HTTP_VIA"], "1.1 sekisho")
        self.assertEqual(fields["HTTP_X_APPLICATION"], "kept")
        start = re.fullmatch(r"t=(\d+\.\d{3})", fields["HTTP_X_REQUEST_START"])
        self.assertTrue(before - 0.1 <= float(start.group(1)) <= after + 0.1, fields["HTTP_X_REQUEST_START"])
        gone = ["CLIENT_IP", "FORWARDED", "X_FORWARDED_SSL", "X_ORIGINAL_URL", "X_SENDFILE_TYPE", "PROXY"]
        gone += ["SEKISHO_SHADOW", "X_NAMED"]
        self.assertEqual([name for name in gone if f"HTTP_{name}" in fields], [])
        self.assertEqual(answer["remote_ip"], "203.0.113.7")
        self.assertEqual(answer["scheme"], "https")
        self.assertNotIn("192.0.2.66", json.dumps(answer))
        self.assertNotIn("evil.example", json.dumps(answer))

    def test_a_request_id_of_our_own_and_in_the_log(self):
        answer = json.loads(fetch(self.address, "/fields?mark=id", fields=[*HOST, ("X-Request-Id", "no good")]).body)
        identity = answer["fields"]["HTTP_X_REQUEST_ID"]
        self.assertRegex(identity, r"^[A-Za-z0-9._-]{1,128}$")
        self.assertEqual(answer["request_id"], identity)

    def test_a_refused_host_never_reaches_the_application(self):
        for host in ("127.0.0.1", "203.0.113.9:8080", "other.example", "[::1]", "2130706433"):
            refused = fetch(self.address, "/?mark=refused", fields=[("Host", host)])
            self.assertEqual(refused.status, 421, host)
        self.assertEqual([line for line in self.puma.requests() if "refused" in line["query"]], [])


class TcpTest(ProxiedCases, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.puma = cls.enterClassContext(Puma())
        cls.sekisho = cls.enterClassContext(Sekisho(cls.puma.upstream, SETTINGS)).wait_upstream()
        cls.address = cls.sekisho.address


class UnixTest(ProxiedCases, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.puma = cls.enterClassContext(Puma(unix=True))
        cls.sekisho = cls.enterClassContext(Sekisho(cls.puma.upstream, SETTINGS)).wait_upstream()
        cls.address = cls.sekisho.address


if __name__ == "__main__":
    unittest.main(verbosity=2)
