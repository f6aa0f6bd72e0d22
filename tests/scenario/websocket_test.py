"""WebSockets by a client that holds its peer to RFC 6455 (Debian's python3-websockets): ActionCable behind Sekisho."""

import asyncio
import json
import logging
import os
import signal
import unittest

import websockets
from websockets.exceptions import ConnectionClosed, InvalidStatusCode

from support.http_client import Client
from support.process import PATIENCE, wait_until
from support.sekisho import Puma, Sekisho

HOST = "www.example.jp"
SETTINGS = f"hosts: [{HOST}]\nshutdown: {{grace: 0s, drain: 12s}}\n"
IDENTIFIER = json.dumps({"channel": "EchoChannel"})
UPGRADE = [("Host", HOST), ("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")]
UPGRADE += [("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")]

logging.getLogger("websockets").setLevel(logging.CRITICAL)  # it logs what a test expects


class Cable:
    """An ActionCable client over the library's connection."""

    def __init__(self, address, **options):
        self.opening = websockets.connect(
            f"ws://{HOST}/cable", host=address[0], port=address[1], subprotocols=["actioncable-v1-json"], max_size=None,
            open_timeout=20 * PATIENCE, close_timeout=20 * PATIENCE, **options,
        )

    async def __aenter__(self):
        self.socket = await self.opening
        await self.message(lambda message: message.get("type") == "welcome")
        await self.socket.send(json.dumps({"command": "subscribe", "identifier": IDENTIFIER}))
        await self.message(lambda message: message.get("type") == "confirm_subscription")
        return self

    async def __aexit__(self, *unused):
        await self.socket.close()

    async def message(self, wanted):
        while True:
            message = json.loads(await asyncio.wait_for(self.socket.recv(), 20 * PATIENCE))
            if wanted(message):
                return message

    @staticmethod
    def command(**data):
        return json.dumps({"command": "message", "identifier": IDENTIFIER, "data": json.dumps(data)})

    async def echo(self, text, parts=1):
        """Sends `text`, in so many frames, and returns what comes back."""
        whole = self.command(action="echo", text=text)
        step = -(-len(whole) // parts)
        frames = [whole[i : i + step] for i in range(0, len(whole), step)]
        await self.socket.send(frames if parts > 1 else whole)
        answer = await self.message(lambda message: "message" in message and "type" not in message)
        return answer["message"]["echo"]

    async def closed(self):
        """Waits for the end of the connection, which is nobody's fault here."""
        try:
            while True:
                await asyncio.wait_for(self.socket.recv(), 30 * PATIENCE)
        except ConnectionClosed as end:
            return end


class WebSocketCases:
    @classmethod
    def setUpClass(cls):
        cls.puma = cls.enterClassContext(Puma(unix=cls.unix))
        cls.sekisho = cls.enterClassContext(Sekisho(cls.puma.upstream, SETTINGS, workers=2)).wait_upstream()
        cls.address = cls.sekisho.address

    def tearDown(self):
        self.wait_for_tunnels(0)

    def wait_for_tunnels(self, count, sekisho=None):
        sekisho = sekisho or self.sekisho
        wait_until(lambda: sekisho.metric("sekisho_tunnels_active") == count, f"{count} tunnels")

    def run_cable(self, work):
        async def run():
            async with Cable(self.address) as cable:
                await work(cable)

        asyncio.run(run())

    def test_messages_of_every_size_and_in_fragments(self):
        async def work(cable):
            self.assertEqual(cable.socket.subprotocol, "actioncable-v1-json")
            for text in ("", "short", "関所" * 1000, "x" * 125, "y" * 70_000, os.urandom(500_000).hex()):
                self.assertEqual(await cable.echo(text), text)
            for parts in (2, 7, 50):
                self.assertEqual(await cable.echo("fragment " * 2000, parts), "fragment " * 2000)

        self.run_cable(work)

    def test_a_ping_is_answered_and_those_of_the_server_pass(self):
        async def work(cable):
            for payload in (b"", b"are you there?", os.urandom(125)):
                answered = await cable.socket.ping(payload)
                await asyncio.wait_for(answered, 20 * PATIENCE)
            # ActionCable's own, every three seconds.
            await cable.message(lambda message: message.get("type") == "ping")
            self.assertEqual(await cable.echo("still there"), "still there")

        self.run_cable(work)

    def test_many_at_once(self):
        async def one(number):
            async with Cable(self.address) as cable:
                for turn in range(10):
                    text = f"{number}/{turn} " * 100
                    self.assertEqual(await cable.echo(text), text)

        async def run():
            await asyncio.gather(*[one(number) for number in range(20)])

        asyncio.run(run())

    def test_the_client_closes(self):
        async def work(cable):
            await cable.socket.close(1000, "done")
            # 1000 comes back from the application; it drops that frame now and then, see support/websocket.py.
            self.assertIn(cable.socket.close_code, (1000, 1006))

        self.run_cable(work)

    def test_the_server_closes(self):
        async def work(cable):
            await cable.socket.send(cable.command(action="leave", reason="over"))
            told = await cable.message(lambda message: message.get("type") == "disconnect")
            self.assertEqual((told["reason"], told["reconnect"]), ("over", False))
            end = await cable.closed()
            self.assertIn(end.rcvd and end.rcvd.code, (1000, None))
            self.assertEqual(cable.socket.transport.is_closing(), True)

        self.run_cable(work)

    def test_the_client_vanishes(self):
        async def work(cable):
            await cable.socket.send(cable.command(action="echo", text="z" * 100_000))
            cable.socket.transport.abort()

        self.run_cable(work)

    def test_a_drain_ends_it_kindly(self):
        """It goes on for its part of the time, and the end is a FIN after what was sent: no reset."""

        async def run(sekisho):
            async with Cable(sekisho.address) as cable, Cable(sekisho.address) as other:
                sekisho.signal(signal.SIGTERM)
                wait_until(lambda: sekisho.events("drain"), "the drain began")
                self.assertEqual(await cable.echo("x" * 10_000), "x" * 10_000)
                ends = await asyncio.gather(cable.closed(), other.closed())
                for end in ends:
                    # No close frame: a proxy speaks bytes here, not frames. What matters is that no read failed.
                    self.assertNotIsInstance(end.__cause__, OSError)

        with Sekisho(self.puma.upstream, SETTINGS, workers=2) as sekisho:
            sekisho.wait_upstream()
            asyncio.run(run(sekisho))
            self.assertEqual(sekisho.wait(), 0)
            self.assertEqual(sekisho.events("stop")[0]["cut"], 0)
            self.assertEqual([line["outcome"] for line in sekisho.access_log()], ["tunnel", "tunnel"])

    def test_a_refused_upgrade_is_a_plain_response(self):
        """And the connection goes on: with a page, with another refusal, and with an upgrade that is made."""
        with Client(self.address) as client:
            for status in (403, 404, 426, 200):
                refused = client.request("GET", f"/refused?status={status}", UPGRADE)
                self.assertEqual((refused.status, refused.text, refused.closes), (status, "no WebSocket here", False))
                self.assertEqual(client.request("GET", "/up", [("Host", HOST)]).text, "up")
            self.assertEqual(client.request("GET", "/cable", [("Host", HOST)]).status, 404)  # ActionCable's own refusal
            self.assertEqual(client.request("GET", "/cable", UPGRADE).status, 101)

    def test_a_refused_upgrade_as_the_library_sees_it(self):
        async def refused(status):
            url = f"ws://{HOST}/refused?status={status}"
            async with websockets.connect(url, host=self.address[0], port=self.address[1], open_timeout=20 * PATIENCE):
                pass

        for status in (403, 404, 426):
            with self.assertRaises(InvalidStatusCode) as caught:
                asyncio.run(refused(status))
            self.assertEqual(caught.exception.status_code, status)


class TcpTest(WebSocketCases, unittest.TestCase):
    unix = False


class UnixTest(WebSocketCases, unittest.TestCase):
    unix = True


if __name__ == "__main__":
    unittest.main(verbosity=2)
