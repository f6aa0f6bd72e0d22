"""Clients that keep on asking from threads of their own, and note what became of every request."""

import threading
import time

from support.http_client import Client, Truncated


class Load:
    """`threads` clients, each on a kept connection, asking for target() until stopped or refused a connection."""

    def __init__(self, address, target=lambda: "/", threads=4, fields=(), fresh=False, pause=0.0):
        self.address = address
        self.target = target
        self.fields = list(fields)
        self.fresh = fresh  # a new connection for every request
        self.pause = pause
        self.lock = threading.Lock()
        self.codes = {}
        self.lost = []  # requests sent on a connection that had been accepted, and not answered whole
        self.resets = 0  # new connections that died before a byte came: never accepted by the process
        self.refused = 0  # clients that ended because nobody listened any more
        self.told_to_close = 0
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self._client, daemon=True) for _ in range(threads)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *unused):
        self.stop()

    def stop(self):
        self.stopping.set()
        self.join()

    def join(self):
        for thread in self.threads:
            thread.join(60)

    @property
    def answered(self):
        with self.lock:
            return sum(self.codes.values())

    def _client(self):
        client = None
        while not self.stopping.is_set():
            used = client is not None
            try:
                client = client or Client(self.address)
            except ConnectionRefusedError:
                with self.lock:
                    self.refused += 1
                return
            except OSError as error:
                self._note_lost(f"connect: {error}")
                return
            try:
                response = client.request("GET", self.target(), self.fields)
            except (OSError, Truncated) as error:
                client.close()
                if not used and not (isinstance(error, Truncated) and error.args[0].status):
                    with self.lock:
                        self.resets += 1
                else:
                    self._note_lost(f"{type(error).__name__} on a {'used' if used else 'new'} connection")
                client = None
                continue
            with self.lock:
                self.codes[response.status] = self.codes.get(response.status, 0) + 1
                self.told_to_close += response.closes
            if response.closes or self.fresh:
                client.close()
                client = None
            if self.pause:
                self.stopping.wait(self.pause)
        if client:
            client.close()

    def _note_lost(self, why):
        with self.lock:
            self.lost.append(why)


def throughput(address, seconds, threads=8, target="/", fields=()):
    """Answers a second with status 200 that `threads` clients get."""
    load = Load(address, lambda: target, threads, fields)
    began = time.monotonic()
    with load:
        load.stopping.wait(seconds)
        load.stop()
    spent = time.monotonic() - began
    if set(load.codes) != {200} or load.lost or load.resets:
        raise AssertionError(f"{load.codes} {load.lost[:3]} resets {load.resets}")
    return load.codes[200] / spent
