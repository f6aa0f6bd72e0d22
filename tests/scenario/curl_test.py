"""curl, as people and health checks and scripts use it, at the Rails application behind Sekisho."""

import hashlib
import os
import tempfile
import unittest
from collections import Counter

from support.curl import curl
from support.process import wait_until
from support.sekisho import RAILS, Puma, Sekisho

SETTINGS = "hosts: [www.example.jp]\n"
LARGE = 5_000_000  # above the 1 MiB from which curl asks with Expect: 100-continue


class CurlCases:
    @classmethod
    def setUpClass(cls):
        cls.puma = cls.enterClassContext(Puma(unix=cls.unix))
        cls.sekisho = cls.enterClassContext(Sekisho(cls.puma.upstream, SETTINGS)).wait_upstream()
        cls.address = cls.sekisho.address
        cls.folder = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="sekisho-test-"))
        cls.content = os.urandom(LARGE)
        cls.path = os.path.join(cls.folder, "seal.bin")
        with open(cls.path, "wb") as file:
            file.write(cls.content)

    def ask(self, *arguments, exit_status=0, **options):
        done = curl(self.address, *arguments, **options)
        self.assertEqual(done.exit_status, exit_status, done.said)
        return done

    def one(self, *arguments, path="/", status=200, stdin=None):
        (transfer,) = self.ask(*arguments, paths=[path], stdin=stdin).transfers
        self.assertEqual(transfer.status, status, transfer.body[:200])
        return transfer

    def assert_stored(self, answer, content):
        self.assertEqual(answer["size"], len(content))
        self.assertEqual(answer["sha256"], hashlib.sha256(content).hexdigest())

    def test_both_versions(self):
        for version in ("1.0", "1.1"):
            for path, part in (("/", "<h1>Welcome</h1>"), ("/compressed", "again and again"), ("/events?count=2&pause=0", '"number":1')):
                with self.subTest(version=version, path=path):
                    transfer = self.one(f"--http{version}", path=path)
                    self.assertIn(part, transfer.text)
                    self.assertEqual(transfer.facts["http_version"], "1.1")  # what the server speaks, RFC 9110, 6.2

    def test_http_1_0_gets_no_chunk(self):
        done = self.ask("--http1.0", "-v", paths=["/events?count=3&pause=0"])
        self.assertEqual(done.received("transfer-encoding"), [])
        self.assertEqual(done.transfers[0].text.count("data: "), 3)

    def test_several_urls_on_one_connection(self):
        # More than puma 5 serves on one connection of its own.
        paths = ["/", "/up", "/api/articles", "/form", "/empty", "/redirect", "/download?bytes=300000", "/nowhere"] * 5
        transfers = self.ask(paths=paths).transfers
        self.assertEqual([transfer.status for transfer in transfers], [200, 200, 200, 200, 204, 302, 200, 404] * 5)
        self.assertEqual([transfer.facts["num_connects"] for transfer in transfers], [1] + [0] * (len(paths) - 1))
        kept = self.ask("--http1.0", "-H", "Connection: keep-alive", paths=["/files/config.ru"] * 5).transfers
        self.assertEqual([transfer.facts["num_connects"] for transfer in kept], [1, 0, 0, 0, 0])

    def test_a_redirect_is_followed(self):
        transfer = self.one("--location", path="/redirect")
        self.assertIn("authenticity_token", transfer.text)
        self.assertEqual((transfer.facts["num_redirects"], transfer.facts["num_connects"]), (1, 1))

    def test_upload_of_a_file_that_is_asked_for_first(self):
        done = self.ask("-v", "-T", self.path, paths=["/store"])
        self.assertIn("> Expect: 100-continue", done.said)
        self.assertEqual(done.received("HTTP/1.1"), ["HTTP/1.1 100 Continue", "HTTP/1.1 200 OK"])
        self.assert_stored(done.transfers[0].json, self.content)

    def test_a_small_upload_that_is_asked_for_first(self):
        done = self.ask("-v", "-H", "Expect: 100-continue", "--data-binary", "title=gate", "-X", "PUT", paths=["/store"])
        self.assertEqual(done.received("HTTP/1.1"), ["HTTP/1.1 100 Continue", "HTTP/1.1 200 OK"])
        self.assert_stored(done.transfers[0].json, b"title=gate")

    def test_upload_in_chunks_from_stdin(self):
        for content in (self.content, b"short", b""):
            with self.subTest(size=len(content)):
                done = self.ask("-v", "-T", "-", paths=["/store"], stdin=content)
                self.assertIn("> Transfer-Encoding: chunked", done.said)
                self.assert_stored(done.transfers[0].json, content)
        self.assert_stored(self.one("-T", "-", "-H", "Expect:", path="/store", stdin=self.content).json, self.content)

    def test_an_upload_that_is_refused_is_not_sent(self):
        done = self.ask("-v", "-T", self.path, "-H", "Host: 10.1.2.3", paths=["/store"])
        self.assertEqual(done.received("HTTP/1.1"), ["HTTP/1.1 421 Misdirected Request"])
        self.assertEqual(done.transfers[0].facts["size_upload"], 0)

    def test_multipart_form(self):
        answer = self.one("-F", f"file=@{self.path}", path="/upload").json
        self.assertEqual(answer["name"], "seal.bin")
        self.assert_stored(answer, self.content)
        again = self.one("-F", "file=@-;filename=stdin.txt", path="/upload", stdin=b"from stdin").json
        self.assertEqual(again["name"], "stdin.txt")
        self.assert_stored(again, b"from stdin")

    def test_compressed(self):
        done = self.ask("-v", "--compressed", paths=["/compressed"])
        self.assertEqual(done.received("content-encoding"), ["Content-Encoding: gzip"], done.said)
        self.assertEqual(done.transfers[0].text, "the same line again and again\n" * 1000)
        self.assertLess(done.transfers[0].facts["size_download"], 1000)

    def test_head(self):
        done = self.ask("--head", "-v", paths=["/download?bytes=1000000", "/up"])
        self.assertEqual([transfer.status for transfer in done.transfers], [200, 200])
        self.assertEqual([transfer.facts["num_connects"] for transfer in done.transfers], [1, 0])
        self.assertEqual(done.transfers[0].facts["size_download"], 0)

    def test_range(self):
        with open(RAILS, "rb") as file:
            content = file.read()
        for span, expected in (("100-199", content[100:200]), ("-50", content[-50:]), ("3000-", content[3000:])):
            with self.subTest(span):
                self.assertEqual(self.one("--range", span, path="/files/config.ru", status=206).body, expected)
        parts = self.one("--range", "0-9,20-29", path="/files/config.ru", status=206)
        self.assertIn("multipart/byteranges", parts.facts["content_type"])
        self.assertIn(content[20:30], parts.body)

    def test_a_download_is_whole(self):
        transfer = self.one(path="/download?bytes=20000000")
        self.assertEqual(hashlib.sha256(transfer.body).digest(), hashlib.sha256(b"0123456789" * 2_000_000).digest())

    def test_a_client_that_gives_up(self):
        before = self.outcomes()
        self.ask("--max-time", "0.5", paths=["/slow?seconds=2"], exit_status=28)
        self.ask("--max-time", "0.5", "--limit-rate", "20k", "-T", self.path, paths=["/store"], exit_status=28)
        self.ask("--max-time", "0.5", paths=["/events?count=50&pause=0.2"], exit_status=28)
        wait_until(lambda: (self.outcomes() - before).total() == 3, "all three are told")
        # The first had sent its request whole, and its end does not say that it reads no more: the kernel may take the answer.
        self.assertGreaterEqual((self.outcomes() - before)["client_abort"], 2)
        wait_until(lambda: self.sekisho.metric("sekisho_upstream_in_flight") == 0, "no server is held for it")
        self.assertEqual(self.one(path="/up").text, "up")

    def outcomes(self):
        return Counter(line["outcome"] for line in self.sekisho.access_log())


class TcpTest(CurlCases, unittest.TestCase):
    unix = False


class UnixTest(CurlCases, unittest.TestCase):
    unix = True


if __name__ == "__main__":
    unittest.main(verbosity=2)
