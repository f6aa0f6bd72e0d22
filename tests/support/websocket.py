"""The client's side of RFC 6455, as much as the tests need: the opening handshake, text, ping and close frames."""

import base64
import hashlib
import json
import os
import struct

from support.http_client import Client, Truncated

_MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_TEXT, _CLOSE, _PING, _PONG = 1, 8, 9, 10


class NoUpgrade(AssertionError):
    """The server answered plainly: `response` is what it said."""

    def __init__(self, response):
        super().__init__(f"no upgrade: {response.status} {response.text[:200]}")
        self.response = response


class WebSocket:
    def __init__(self, address, target, fields=(), protocol="actioncable-v1-json", client=None):
        key = base64.b64encode(os.urandom(16)).decode()
        self.client = client or Client(address)
        handshake = [
            ("Connection", "Upgrade"),
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", key),
            ("Sec-WebSocket-Protocol", protocol),
        ]
        try:
            self.response = self.client.request("GET", target, [*handshake, *fields])
            if self.response.status != 101:
                raise NoUpgrade(self.response)
        except BaseException:
            self.client.close()
            raise
        expected = base64.b64encode(hashlib.sha1((key + _MAGIC).encode()).digest()).decode()
        if self.response.get("Sec-WebSocket-Accept") != expected:
            raise AssertionError("wrong Sec-WebSocket-Accept")

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.client.close()

    def send(self, text):
        self._frame(_TEXT, text.encode())

    def close(self):
        """The closing handshake; returns when the peer has closed the connection. ActionCable itself drops its close frame
        in about one of a hundred handshakes (it detaches the socket while another thread holds the write lock), so the end of the
        stream stands for the frame."""
        self._frame(_CLOSE, struct.pack(">H", 1000))
        try:
            while self.receive() is not None:
                pass
        except Truncated:
            return self.client.buffer == b""
        return self.client.at_end()

    def receive(self):
        """The next text message; None for a close frame. Pings are answered on the way."""
        while True:
            first, second = self._take(2)
            length = second & 0x7F
            if length == 126:
                (length,) = struct.unpack(">H", self._take(2))
            elif length == 127:
                (length,) = struct.unpack(">Q", self._take(8))
            payload = self._take(length)
            opcode = first & 0x0F
            if opcode == _TEXT:
                return payload.decode()
            if opcode == _CLOSE:
                return None
            if opcode == _PING:
                self._frame(_PONG, payload)

    def receive_message(self, wanted):
        """The next ActionCable message of which `wanted` holds; the server's own pings are passed over."""
        while True:
            text = self.receive()
            if text is None:
                raise AssertionError("closed by the server")
            message = json.loads(text)
            if wanted(message):
                return message

    def _frame(self, opcode, payload):
        mask = os.urandom(4)
        length = len(payload)
        if length < 126:
            head = struct.pack(">BB", 0x80 | opcode, 0x80 | length)
        elif length < 65536:
            head = struct.pack(">BBH", 0x80 | opcode, 0x80 | 126, length)
        else:
            head = struct.pack(">BBQ", 0x80 | opcode, 0x80 | 127, length)
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
        self.client.send(head + mask + masked)

    def _take(self, count):
        while len(self.client.buffer) < count:
            self.client._fill()
        data, self.client.buffer = self.client.buffer[:count], self.client.buffer[count:]
        return data


ECHOED = ["short", "関所" * 10, "x" * 100_000]


def echoes(cable):
    """What the application's EchoChannel says to each of ECHOED, over a WebSocket to ActionCable that was just opened."""
    cable.receive_message(lambda message: message.get("type") == "welcome")
    identifier = json.dumps({"channel": "EchoChannel"})
    cable.send(json.dumps({"command": "subscribe", "identifier": identifier}))
    cable.receive_message(lambda message: message.get("type") == "confirm_subscription")
    answers = []
    for text in ECHOED:
        data = json.dumps({"action": "echo", "text": text})
        cable.send(json.dumps({"command": "message", "identifier": identifier, "data": data}))
        answers.append(cable.receive_message(lambda message: "message" in message and "type" not in message))
    return [answer["message"]["echo"] for answer in answers]
