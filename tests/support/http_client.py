"""A small HTTP/1.1 client on a raw socket, which reports what really came: pieces, times, framing, and whether the end was proper."""

import time
from dataclasses import dataclass, field

from support.process import connect


class Truncated(Exception):
    """The connection ended, or a line was malformed, before the message was complete."""


@dataclass
class Response:
    status: int = 0
    version: str = ""
    fields: list = field(default_factory=list)  # (name, value) as they came
    body: bytes = b""
    pieces: list = field(default_factory=list)  # (monotonic time, bytes) as they were read
    interim: list = field(default_factory=list)  # statuses below 200 that came first
    complete: bool = False
    reason: str = ""

    def all(self, name):
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def get(self, name, default=None):
        values = self.all(name)
        return values[0] if values else default

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    @property
    def closes(self):
        options = ",".join(self.all("Connection")).lower()
        return "close" in options or (self.version == "HTTP/1.0" and "keep-alive" not in options)


def request_bytes(method, target, fields=(), body=None, version="HTTP/1.1", host="localhost", chunked=False):
    """The bytes of one request; a bytes body gets a Content-Length unless chunked."""
    lines = [f"{method} {target} {version}"]
    names = {name.lower() for name, _ in fields}
    if host is not None and "host" not in names:
        lines.append(f"Host: {host}")
    lines += [f"{name}: {value}" for name, value in fields]
    if body is not None and chunked:
        lines.append("Transfer-Encoding: chunked")
    elif body is not None and "content-length" not in names:
        lines.append(f"Content-Length: {len(body)}")
    head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
    if body is None:
        return head
    if not chunked:
        return head + body
    step = 16384
    parts = [b"%x\r\n%s\r\n" % (len(body[i : i + step]), body[i : i + step]) for i in range(0, len(body), step)]
    return head + b"".join(parts) + b"0\r\n\r\n"


class Client:
    """One connection. Not thread-safe."""

    def __init__(self, address, timeout=20.0):
        self.address = address
        self.socket = connect(address, timeout)
        self.buffer = b""
        self.eof = False

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    def send(self, data):
        self.socket.sendall(data)

    def request(self, method, target, fields=(), body=None, **options):
        self.send(request_bytes(method, target, fields, body, **options))
        return self.response(head_only=method == "HEAD")

    def response(self, head_only=False, on_piece=None, keep_body=True):
        """Reads one response whole. Raises Truncated, whose args[0] is what had come, where it ends early."""
        result = Response()
        try:
            while True:
                self._read_head(result)
                if result.status >= 200 or result.status == 101:
                    break
                result.interim.append(result.status)
                result.fields = []
            self._read_body(result, head_only, on_piece, keep_body)
        except (Truncated, ConnectionError):
            raise Truncated(result) from None
        result.complete = True
        return result

    def at_end(self):
        """True once the peer closes and nothing more came."""
        try:
            return self.buffer == b"" and self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def _fill(self):
        data = self.socket.recv(262144)
        if not data:
            self.eof = True
            raise Truncated
        self.buffer += data

    def _line(self):
        while b"\r\n" not in self.buffer:
            self._fill()
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line.decode("latin-1")

    def _read_head(self, result):
        status_line = self._line()
        result.version, code, result.reason = (status_line.split(" ", 2) + [""])[:3]
        result.status = int(code)
        while line := self._line():
            name, value = line.split(":", 1)
            result.fields.append((name, value.strip()))

    def _read_body(self, result, head_only, on_piece, keep_body):
        parts = []

        def take(piece):
            now = time.monotonic()
            if keep_body:
                parts.append(piece)
                result.pieces.append((now, piece))
                result.body = b""
            if on_piece:
                on_piece(now, piece)

        try:
            if head_only or result.status in (101, 204, 304):
                return
            if "chunked" in (result.get("Transfer-Encoding") or "").lower():
                self._read_chunks(take)
            elif result.get("Content-Length") is not None:
                self._read_counted(int(result.get("Content-Length")), take)
            else:
                self._read_to_end(take)
        finally:
            result.body = b"".join(parts)

    def _read_counted(self, left, take):
        while left:
            if not self.buffer:
                self._fill()
            piece, self.buffer = self.buffer[:left], self.buffer[left:]
            left -= len(piece)
            take(piece)

    def _read_chunks(self, take):
        while True:
            size = int(self._line().split(";")[0], 16)
            if size == 0:
                while self._line():
                    pass
                return
            self._read_counted(size, take)
            if self._line() != "":
                raise Truncated

    def _read_to_end(self, take):
        while True:
            if self.buffer:
                piece, self.buffer = self.buffer, b""
                take(piece)
            try:
                self._fill()
            except Truncated:
                return


def fetch(address, target="/", method="GET", fields=(), body=None, **options):
    """One request on a connection of its own."""
    with Client(address) as client:
        return client.request(method, target, [*fields, ("Connection", "close")], body, **options)
