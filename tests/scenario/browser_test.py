"""A browser (Debian's Chromium without a window) on a page of the Rails application behind Sekisho: what its script saw of JSON, a
form, an upload, a download, an event stream and a WebSocket."""

import hashlib
import html
import json
import re
import shutil
import subprocess
import tempfile
import unittest

from support.process import PATIENCE, wait_until
from support.sekisho import Puma, Sekisho

HOST = "www.example.jp"
SETTINGS = f"""
hosts: [{HOST}]
limits:
  - {{name: probes, match: {{paths: builtin:probes}}, block: true}}
  - {{name: per-client, rate: 1000/s}}
"""
CHROMIUM = shutil.which("chromium-headless-shell") or shutil.which("chromium")


class BrowserCases:
    @classmethod
    def setUpClass(cls):
        cls.puma = cls.enterClassContext(Puma(unix=cls.unix, threads=8))
        cls.sekisho = cls.enterClassContext(Sekisho(cls.puma.upstream, SETTINGS, workers=2)).wait_upstream()

    def page(self, path):
        """The document as it stands when everything on it has been loaded."""
        self.assertTrue(CHROMIUM, "Chromium is missing: scripts/packages.txt names its package")
        with tempfile.TemporaryDirectory(prefix="sekisho-test-", ignore_cleanup_errors=True) as profile:
            command = [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
            command += [f"--user-data-dir={profile}", "--disable-background-networking", "--dump-dom"]
            command += [f"--host-resolver-rules=MAP {HOST} 127.0.0.1", f"http://{HOST}:{self.sekisho.port}{path}"]
            done = subprocess.run(command, capture_output=True, timeout=80 * PATIENCE, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr[-2000:])
        return done.stdout

    def test_a_page_that_uses_everything(self):
        document = self.page("/browser")
        found = re.search(r'<pre id="seen">(.*?)</pre>', document)
        self.assertTrue(found, document[:2000])
        seen = json.loads(html.unescape(found.group(1)))
        content = bytes(place % 251 for place in range(3_000_000))
        self.assertEqual(
            seen,
            {
                "articles": [{"id": 1, "title": "関所"}],
                "created": [201, "gate"],
                "form": "created 関所",
                "upload": {"name": "seal.bin", "size": len(content), "sha256": hashlib.sha256(content).hexdigest()},
                "download": [5_000_000, True],
                "events": [0, 1, 2],
                "websocket": ["actioncable-v1-json", True, True],
                "refused": [403, "application/problem+json"],
            },
        )
        wait_until(lambda: self.sekisho.metric("sekisho_client_connections") == 0, "the browser is gone")
        lines = [line for line in self.sekisho.access_log() if line["path"] != "/favicon.ico"]
        agents = {line["user_agent"] for line in lines}
        self.assertEqual(len(agents), 1)
        self.assertIn("Chrome", agents.pop())
        # The event stream is left in its middle or at its end, as the script comes to it.
        outcomes = {line["path"]: line["outcome"] for line in lines if line["path"] != "/events"}
        self.assertEqual({path for path, outcome in outcomes.items() if outcome != "proxied"}, {"/cable", "/phpmyadmin/"})
        self.assertEqual((outcomes["/cable"], outcomes["/phpmyadmin/"]), ("tunnel", "blocked"))


class TcpTest(BrowserCases, unittest.TestCase):
    unix = False


class UnixTest(BrowserCases, unittest.TestCase):
    unix = True


if __name__ == "__main__":
    unittest.main(verbosity=2)
