"""Five readers that stand still within 20 MB each, at a puma of five threads: a sixth client is served at once, and the memory that
this costs stays within upstream.buffer.total."""

import hashlib
import os
import time
import unittest

from support.http_client import Client, fetch, request_bytes
from support.process import PATIENCE, wait_until
from support.sekisho import Origin, Puma, Sekisho

THREADS = 5
SIZE = 20_000_000  # more than the sockets on the way hold
MIB = 1024 * 1024
AT_ONCE = 1.0 * PATIENCE
SANITIZED = bool(os.environ.get("SEKISHO_SANITIZED"))  # whose own memory is not the proxy's


class SlowReadersTest(unittest.TestCase):
    def setUp(self):
        self.puma = self.enterContext(Puma(threads=THREADS))

    def start(self, total, workers=2):
        settings = f'upstream: {{servers: "{self.puma.upstream}", buffer: {{total: {total}}}}}\n'
        sekisho = self.enterContext(Sekisho(None, settings, workers=workers)).wait_upstream()
        for _ in range(8):
            self.assertEqual(fetch(sekisho.address, "/up").status, 200)
        return sekisho

    def stalled_readers(self, address):
        """Each has its first byte, so that its response has begun, and reads no more."""
        readers = [self.enterContext(Client(address, timeout=60)) for _ in range(THREADS)]
        for reader in readers:
            reader.send(request_bytes("GET", f"/download?bytes={SIZE}"))
        for reader in readers:
            reader.buffer += reader.socket.recv(1)
        return readers

    def assert_whole(self, reader):
        digest = hashlib.sha256()
        response = reader.response(on_piece=lambda _, piece: digest.update(piece), keep_body=False)
        self.assertEqual(response.status, 200)
        self.assertEqual(digest.digest(), hashlib.sha256(b"0123456789" * (SIZE // 10)).digest())

    def test_without_sekisho_the_sixth_waits(self):
        """The control: what puma does alone, and what the case below would show if nothing were read ahead."""
        readers = self.stalled_readers(self.puma.address)
        with Client(self.puma.address, timeout=1.5 / PATIENCE) as sixth:
            sixth.send(request_bytes("GET", "/up"))
            with self.assertRaises(TimeoutError):
                sixth.socket.recv(1)
            sixth.socket.settimeout(60)
            self.assert_whole(readers[0])
            self.assertEqual(sixth.response().text, "up")

    def test_a_sixth_client_is_served_at_once(self):
        total = 128 * MIB
        sekisho = self.start(total)
        before = sekisho.memory_kib()
        for _ in range(2):
            readers = self.stalled_readers(sekisho.address)
            wait_until(lambda: sekisho.metric("sekisho_upstream_in_flight") == 0, "puma's threads are free", 10)
            waits = []
            for _ in range(20):
                began = time.monotonic()
                self.assertEqual(fetch(sekisho.address, "/up").status, 200)
                waits.append(time.monotonic() - began)
            self.assertLess(max(waits), AT_ONCE)
            held = sekisho.metric("sekisho_buffer_bytes")
            grown = (sekisho.memory_kib() - before) * 1024
            print(f"held {held / MIB:.0f} MiB, memory grown by {grown / MIB:.0f} MiB, longest wait {1000 * max(waits):.0f} ms")
            # Whatever the sockets do not hold.
            self.assertGreater(held, THREADS * (SIZE - 12 * MIB))
            self.assertLessEqual(held, total)
            if not SANITIZED:
                self.assertLessEqual(grown, total + 8 * MIB)
            for reader in readers:
                self.assert_whole(reader)
                reader.close()
            wait_until(lambda: sekisho.metric("sekisho_buffer_bytes") <= MIB, "the buffers are given back")
            if not SANITIZED:
                wait_until(lambda: sekisho.memory_kib() - before <= 24 * 1024, "and the memory to the system")

    @unittest.skipIf(SANITIZED, "a sanitizer keeps what is freed")
    def test_bursts_that_meet_one_worker_after_the_other_do_not_add_up(self):
        total, workers = 64 * MIB, 4
        origin = self.enterContext(Origin())
        settings = f'upstream: {{servers: "{origin.upstream}", buffer: {{total: {total}}}}}\n'
        sekisho = self.enterContext(Sekisho(None, settings, workers=workers)).wait_upstream()
        before = sekisho.memory_kib()
        most = 0

        def open_connections(count):
            wait_until(lambda: sekisho.metric("sekisho_client_connections") == count, f"{count} connections are open")

        for turn in range(workers):
            # A new connection goes to the worker with the fewest: that is the one from which these are taken away.
            crowd = [Client(sekisho.address) for _ in range(8 * workers)]
            open_connections(len(crowd))
            for client in crowd[turn::workers]:
                client.close()
            open_connections(len(crowd) - len(crowd[turn::workers]))
            readers = [Client(sekisho.address, timeout=60) for _ in range(6)]
            for reader in readers:
                reader.send(request_bytes("GET", f"/bytes?n={SIZE}"))
            wait_until(lambda: sekisho.metric("sekisho_buffer_bytes") > total - 4 * MIB, "the total is nearly spent")
            most = max(most, sekisho.memory_kib() - before)
            for reader in readers:
                reader.response(keep_body=False)
                reader.close()
            for client in crowd:
                client.close()
            open_connections(0)
            wait_until(lambda: sekisho.memory_kib() - before <= 24 * 1024, "the memory is given back")
        print(f"memory grown by {most / 1024:.0f} MiB at most, by {(sekisho.memory_kib() - before) / 1024:.0f} MiB at the end")
        self.assertLessEqual(most * 1024, total + 24 * MIB)

    def test_what_does_not_fit_the_total_holds_its_thread_and_no_memory(self):
        """A third of what the five want: the total holds, and what finds no room flows on as its reader takes it."""
        total = 32 * MIB
        sekisho = self.start(total)
        before = sekisho.memory_kib()
        readers = self.stalled_readers(sekisho.address)
        seen = []

        def at_rest():
            seen.append(sekisho.metric("sekisho_buffer_bytes"))
            return len(seen) > 30 and len(set(seen[-30:])) == 1

        wait_until(at_rest, "the flow stands still")
        held = sekisho.metric("sekisho_buffer_bytes")
        grown = (sekisho.memory_kib() - before) * 1024
        print(f"held {held / MIB:.0f} MiB of {total // MIB}, memory grown by {grown / MIB:.0f} MiB")
        self.assertLessEqual(held, total + THREADS * 2 * 64 * 1024)
        if not SANITIZED:
            self.assertLessEqual(grown, total + 8 * MIB)
        for reader in readers:
            self.assert_whole(reader)
        self.assertEqual(fetch(sekisho.address, "/up").status, 200)


if __name__ == "__main__":
    unittest.main(verbosity=2)
