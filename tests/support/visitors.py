"""Clients of every kind and manner, each in a thread of its own, going on until they are stopped; a Ledger has what they saw."""

import hashlib
import json
import os
import random
import socket
import struct
import threading

from support.http_client import Client, Truncated, request_bytes
from support.websocket import NoUpgrade, WebSocket

HOST = "www.example.jp"
DIGITS = b"0123456789" * 2_000_000
# What may be said while the application is ended and started again: 500 is puma's own, of a request that it was reading as it
# ended (one of Sekisho's would be counted as internal_error).
UNAVAILABLE = {500, 502, 503}


class Visitor(threading.Thread):
    """visit() is one or a few requests. A subclass says what they are; `pause` is the time between two visits."""

    pause = 0.03
    number = 0

    def __init__(self, address, ledger, stopping):
        super().__init__(daemon=True)
        Visitor.number += 1
        self.address, self.ledger, self.stopping = address, ledger, stopping
        self.random = random.Random(Visitor.number)
        self.kind = type(self).__name__.lower() + f"-{Visitor.number}"
        self.viewer = f"203.0.113.{Visitor.number % 250}"
        self.client = None
        self.unavailable = False

    def run(self):
        try:
            while not self.stopping.is_set():
                self.unavailable = False
                self.visit()
                pause = 0.3 if self.unavailable else self.pause
                self.stopping.wait(pause * self.random.uniform(0.5, 1.5))
        except Exception as error:  # a check of what came, or something unforeseen: the test tells it
            self.ledger.problem(f"{self.kind}: {type(error).__name__}: {error}")
        finally:
            self.hang_up()

    def visit(self):
        raise NotImplementedError

    # The connection

    def connection(self):
        self.client = self.client or Client(self.address, timeout=40)
        return self.client

    def hang_up(self, reset=False):
        """Closes; with a reset as from a client whose machine is gone."""
        if self.client:
            if reset:
                self.client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.client.close()
        self.client = None

    def leave(self, name, status=None):
        self.ledger.close(name, "left", status)
        self.hang_up(reset=self.random.random() < 0.5)

    # Requests

    def fields(self, name, extra=()):
        return [("Host", HOST), ("X-Request-Id", name), ("X-Forwarded-For", self.viewer), *extra]

    def open(self, method, target, extra=(), body=None, **options):
        """A name, and the bytes of a request with it."""
        name = self.ledger.open(self.kind)
        return name, request_bytes(method, target, self.fields(name, extra), body, **options)

    def ask(self, method, target, extra=(), body=None, expect=(200,), **options):
        """One request, answered whole: the response; None where it was cut, or the application could not be had."""
        name, sent = self.open(method, target, extra, body, **options)
        broke = False
        try:
            self.connection().send(sent)
        except ConnectionError:
            broke = True  # an answer may have come before the end of the body
        return self.read(name, method == "HEAD", broke, expect)

    def read(self, name, head_only=False, broke=False, expect=(200,)):
        try:
            response = self.client.response(head_only)
        except Truncated as error:
            status = error.args[0].status
            if not status and not broke:
                self.ledger.problem(f"{name} was sent, and the connection closed without an answer")
            self.ledger.close(name, "cut", status or None)
            self.hang_up()
            return None
        except TimeoutError:
            self.ledger.problem(f"{name} got no answer")
            self.leave(name)
            return None
        self.ledger.close(name, "answered", response.status)
        if response.closes:
            self.hang_up()
        if response.status in UNAVAILABLE:
            self.unavailable = True
            return None
        if response.status not in expect:
            raise AssertionError(f"{name} got {response.status}: {response.text[:200]}")
        return response


def multipart(content):
    boundary = "----sekisho"
    disposition = 'Content-Disposition: form-data; name="file"; filename="seal.bin"'
    body = f"--{boundary}\r\n{disposition}\r\nContent-Type: application/octet-stream\r\n\r\n".encode()
    return ("Content-Type", f"multipart/form-data; boundary={boundary}"), body + content + f"\r\n--{boundary}--\r\n".encode()


class Reader(Visitor):
    """Pages and an API, on a kept connection."""

    def visit(self):
        target = self.random.choice(["/", "/up", "/api/articles", "/form", "/empty", "/cached", "HEAD", "POST"])
        if target == "HEAD":
            self.ask("HEAD", "/up")
        elif target == "POST":
            json_type = ("Content-Type", "application/json")
            chunked = self.random.random() < 0.5
            made = self.ask("POST", "/api/articles", [json_type], b'{"title": "gate"}', expect=(201,), chunked=chunked)
            assert made is None or json.loads(made.body) == {"id": 2, "title": "gate"}, made.body
        else:
            self.ask("GET", target, expect=(200, 204))
        if self.random.random() < 0.02:
            self.hang_up()


class Stranger(Reader):
    """The same with a new connection each time, ended by either side."""

    def visit(self):
        if self.random.random() < 0.5:
            self.ask("GET", "/up", [("Connection", "close")])
        else:
            super().visit()
        self.hang_up()


class Pipeliner(Visitor):
    pause = 0.1

    def visit(self):
        names, sent = [], b""
        for number in range(self.random.randint(2, 8)):
            title = f'{{"title": "{number}"}}'.encode()
            if number % 2:
                name, request = self.open("POST", "/api/articles", [("Content-Type", "application/json")], title)
            else:
                name, request = self.open("GET", "/up")
            names.append(name)
            sent += request
        self.connection().send(sent)
        for number, name in enumerate(names):
            if self.client is None:  # closed after an earlier answer: whether it was read at all nobody knows
                self.ledger.close(name, "left")
                continue
            answer = self.read(name, expect=(200, 201))
            assert answer is None or (f'"{number}"' if number % 2 else "up") in answer.text, (number, answer.text)


class Uploader(Visitor):
    pause = 0.2

    def visit(self):
        manner = self.random.choice(["small", "large", "chunked", "form", "aborted"])
        size = 2_000 if manner == "small" else self.random.randint(500_000, 3_000_000)
        content = os.urandom(size)
        if manner == "aborted":
            name, sent = self.open("PUT", "/store", body=content)
            try:
                self.connection().send(sent[: self.random.randint(10, size)])
            except ConnectionError:
                pass
            self.leave(name)
            return
        if manner == "form":
            kind, body = multipart(content)
            answer = self.ask("POST", "/upload", [kind], body)
        else:
            answer = self.ask("PUT", "/store", body=content, chunked=manner == "chunked")
        if answer:
            assert json.loads(answer.body)["sha256"] == hashlib.sha256(content).hexdigest(), answer.text


class Downloader(Visitor):
    pause = 0.3

    def visit(self):
        manner = self.random.choice(["small", "whole", "slow", "aborted"])
        size = 50_000 if manner == "small" else 20_000_000
        if manner in ("small", "whole"):
            answer = self.ask("GET", f"/download?bytes={size}")
            assert answer is None or answer.body == DIGITS[:size], len(answer.body)
            return
        name, sent = self.open("GET", f"/download?bytes={size}")
        self.connection().send(sent)
        status = self.status()
        if manner == "aborted" or status != 200:
            self.leave(name, status)
            return
        for _ in range(10):
            self.stopping.wait(0.2)
            try:
                self.client.buffer += self.client.socket.recv(400_000)
            except ConnectionError:
                break  # the application was ended
        answer = self.read(name)
        assert answer is None or answer.body == DIGITS[:size], len(answer.body)

    def status(self):
        """The status of a response that has begun; its bytes stay in the buffer."""
        while b"\r\n" not in self.client.buffer:
            self.client._fill()
        return int(self.client.buffer[9:12])


class Listener(Downloader):
    """An event stream, heard to its end or left in the middle."""

    def visit(self):
        name, sent = self.open("GET", "/events?count=6&pause=0.1")
        self.connection().send(sent)
        if self.random.random() < 0.5:
            status = self.status()
            self.leave(name, status)
            return
        answer = self.read(name)
        assert answer is None or answer.text.count("data: ") == 6, answer.text


class Talker(Visitor):
    """A WebSocket: opened, used, and closed by either side, or lost."""

    pause = 0.2

    def visit(self):
        name = self.ledger.open(self.kind)
        try:
            socket_ = WebSocket(self.address, "/cable", self.fields(name))
        except NoUpgrade as refusal:
            self.ledger.close(name, "answered", refusal.response.status)
            assert refusal.response.status in UNAVAILABLE, refusal
            self.unavailable = True
            return
        self.client = socket_.client
        self.ledger.close(name, "answered", 101)
        end = self.random.choice(["client", "server", "lost"])
        try:
            self.talk(socket_, end)
        except (Truncated, OSError, AssertionError):
            self.ledger.count("tunnels cut")  # the application was ended
        self.hang_up(reset=end == "lost")

    def talk(self, socket_, end):
        socket_.receive_message(lambda message: message.get("type") == "welcome")
        identifier = json.dumps({"channel": "EchoChannel"})
        socket_.send(json.dumps({"command": "subscribe", "identifier": identifier}))
        socket_.receive_message(lambda message: message.get("type") == "confirm_subscription")
        for _ in range(self.random.randint(1, 5)):
            text = "x" * self.random.choice([5, 500, 50_000])
            self.say(socket_, identifier, action="echo", text=text)
            echo = socket_.receive_message(lambda message: "message" in message and "type" not in message)
            if echo["message"]["echo"] != text:
                self.ledger.problem(f"{self.kind} heard something else")
        self.ledger.count("tunnels used")
        if end == "client":
            socket_.close()
        elif end == "server":
            self.say(socket_, identifier, action="leave", reason="over")
            socket_.receive_message(lambda message: message.get("type") == "disconnect")

    @staticmethod
    def say(socket_, identifier, **data):
        socket_.send(json.dumps({"command": "message", "identifier": identifier, "data": json.dumps(data)}))


class Scanner(Visitor):
    """Refused by a limit, by the host guard, or by the parser."""

    pause = 0.1

    def visit(self):
        manner = self.random.choice(["probe", "probe", "address", "nonsense", "large"])
        if manner == "probe":
            path = self.random.choice(["/phpmyadmin/", "/wp-login.php", "/.env", "/%2e%65nv", "/a/../.git/config"])
            self.ask("GET", path, expect=(403, 404, 429))
        elif manner == "address":
            name = self.ledger.open(self.kind)
            fields = [*self.fields(name)[1:], ("Host", "198.51.100.1")]
            self.connection().send(request_bytes("GET", "/", fields))
            self.read(name, expect=(421,))
        else:
            sent = b"nonsense\r\n\r\n" if manner == "nonsense" else b"GET / HTTP/1.1\r\nX: " + b"x" * 100_000
            self.hang_up()
            try:
                self.connection().send(sent)
                self.ledger.count(self.client.response().status)
            except (Truncated, ConnectionError):
                self.ledger.problem(f"{manner} got no answer")
            self.hang_up()


class Vanisher(Visitor):
    """Comes and goes, in every state."""

    pause = 0.05

    def visit(self):
        manner = self.random.choice(["silent", "half", "whole", "body", "slow"])
        if manner in ("silent", "half"):
            self.connection().send(b"GET / HTTP/1.1\r\nHost: x\r\nX-Ha" if manner == "half" else b"")
            self.hang_up(reset=self.random.random() < 0.5)
            return
        target = "/slow?seconds=0.3" if manner == "slow" else "/up"
        name, sent = self.open("GET" if manner != "body" else "POST", target, body=b"x" * 9 if manner == "body" else None)
        self.connection().send(sent[:-5] if manner == "body" else sent)
        self.leave(name)


class Prober(Visitor):
    """The balancer: by address, without X-Forwarded-For; counted and not logged."""

    pause = 0.25

    def visit(self):
        self.connection().send(request_bytes("GET", "/healthz", [("Host", "10.0.0.7"), ("Connection", "close")]))
        response = self.client.response()
        assert response.status in (200, 503), response.status
        self.ledger.probes.append((response.status, len(response.body)))
        self.hang_up()


EVERYONE = [Reader, Reader, Stranger, Stranger, Pipeliner, Uploader, Uploader, Downloader, Downloader, Listener]
EVERYONE += [Talker, Talker, Scanner, Vanisher, Prober]
