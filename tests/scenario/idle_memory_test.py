"""What a kept connection costs once its request is answered, also where all of them asked at the same time."""

import resource
import socket
import time
import unittest

from support.http_client import request_bytes
from support.process import wait_until
from support.sekisho import Origin, Sekisho

CONNECTIONS = 2000
BYTES_EACH = 2048  # a third of it is room for what else the process touches meanwhile
HEAD = request_bytes("GET", "/up")


def ask_on(connections):
    for connection in connections:
        connection.sendall(HEAD)
    for connection in connections:
        got = b""
        while b"\r\n\r\n" not in got:
            got += connection.recv(65536)
        assert got.startswith(b"HTTP/1.1 200"), got


class IdleMemoryTest(unittest.TestCase):
    def setUp(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 2 * CONNECTIONS)), hard))
        origin = self.enterContext(Origin())
        settings = (f'upstream: {{servers: "{origin.upstream}", max_in_flight: 256, queue: {{size: {CONNECTIONS}, timeout: 60s}}}}\n'
                    "limits: [{name: all, rate: 100000/s, burst: 100000}]\n"
                    "log: {access: off}\n")  # whose buffer is the process's, and is touched as it fills
        self.sekisho = self.enterContext(Sekisho(None, settings, workers=1)).wait_upstream()

    def connect(self):
        return self.enterContext(socket.create_connection(self.sekisho.address, 60))

    def settled(self):
        """Once it stands still: what a burst took is given back in the seconds after it."""
        least, since = self.sekisho.memory_kib(), time.monotonic()
        while time.monotonic() - since < 4:
            time.sleep(0.2)
            now = self.sekisho.memory_kib()
            if now < least:
                least, since = now, time.monotonic()
        return least

    def check(self, warm, all_of_them):
        warm([self.connect() for _ in range(100)])
        before = self.settled()
        all_of_them([self.connect() for _ in range(CONNECTIONS)])
        wait_until(lambda: self.sekisho.metric("sekisho_client_connections", state="idle") == CONNECTIONS + 100, "all are idle")
        each = (self.settled() - before) * 1024 / CONNECTIONS
        print(f"{each:.0f} bytes each")
        self.assertLessEqual(each, BYTES_EACH)

    def test_all_at_once(self):
        self.check(ask_on, ask_on)

    def test_one_by_one(self):
        def in_turn(connections):
            for connection in connections:
                ask_on([connection])
        self.check(in_turn, in_turn)


if __name__ == "__main__":
    unittest.main(verbosity=2)
