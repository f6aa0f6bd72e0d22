"""Limits that hold requests up, count those in progress, or wait for the response: in_flight, delay, tarpit, on_status."""

import datetime
import itertools
import signal
import socket
import statistics
import threading
import time
import unittest

from support.http_client import Client, fetch, request_bytes
from support.load import Load
from support.process import wait_until
from support.sekisho import Origin, Puma, Sekisho
from support.websocket import WebSocket


def half_close(connection):
    connection.shutdown(socket.SHUT_WR)


def stamp(text):
    """Milliseconds since the epoch."""
    return datetime.datetime.fromisoformat(text).timestamp() * 1000


class TurnsTest(unittest.TestCase):
    def setUp(self):
        self.origin = self.enterContext(Origin())

    def start(self, *limits, settings="", workers=2):
        text = settings + "limits:\n" + "".join(f"  - {{{limit}}}\n" for limit in limits)
        return self.enterContext(Sekisho(self.origin.upstream, text, workers=workers)).wait_upstream()

    def decisions(self, sekisho, limit):
        names = ("allowed", "limited", "delayed", "banned", "blocked", "shadow")
        counted = {name: sekisho.metric("sekisho_limit_decisions_total", limit=limit, decision=name) for name in names}
        return {name: count for name, count in counted.items() if count}

    def sent(self, sekisho, count, target, fields=()):
        """Clients that have each sent one request."""
        clients = [self.enterContext(Client(sekisho.address)) for _ in range(count)]
        for client in clients:
            client.send(request_bytes("GET", target, fields))
        return clients


class InFlightTest(TurnsTest):
    def test_as_many_as_may_be_over_all_workers(self):
        sekisho = self.start("name: slow, match: {paths: [/slow]}, in_flight: 3")
        held = self.sent(sekisho, 3, "/slow?ms=1000")
        wait_until(lambda: self.decisions(sekisho, "slow") == {"allowed": 3}, "three are in progress")
        refused = fetch(sekisho.address, "/slow?ms=0")
        self.assertEqual((refused.status, refused.get("Retry-After")), (429, None))
        self.assertEqual(fetch(sekisho.address, "/").status, 200)
        other = fetch(sekisho.address, "/slow?ms=0", fields=[("X-Forwarded-For", "198.51.100.7")])
        self.assertEqual(other.status, 200)
        self.assertEqual([client.response().status for client in held], [200, 200, 200])
        # Their places are given back with the response's end, not with the connection's.
        self.assertEqual(held[0].request("GET", "/slow?ms=0").status, 200)
        self.assertEqual(self.decisions(sekisho, "slow"), {"allowed": 5, "limited": 1})

    def test_a_place_comes_back_however_the_exchange_ends(self):
        sekisho = self.start("name: one, in_flight: 1")
        free = lambda: fetch(sekisho.address, "/").status == 200  # noqa: E731
        for end in ("client", "upstream", "response"):
            with Client(sekisho.address) as client:
                client.send(request_bytes("GET", "/bytes?n=30000000" if end == "client" else "/slow?ms=300"))
                wait_until(lambda: sekisho.metric("sekisho_upstream_in_flight") == 1, "it is in progress")
                self.assertEqual(fetch(sekisho.address, "/").status, 429)
                if end == "upstream":
                    self.origin.signal(signal.SIGKILL)
                    self.assertEqual(client.response().status, 502)
                    self.origin.wait()
                    self.origin.start()
                if end == "response":
                    self.assertEqual(client.response().status, 200)
            wait_until(free, f"the place is free after the end by the {end}")

    def test_a_tunnel_counts_until_it_closes(self):
        self.origin = self.enterContext(Puma())
        sekisho = self.start("name: sockets, match: {paths: [/cable]}, in_flight: 2")
        with WebSocket(sekisho.address, "/cable"):
            with WebSocket(sekisho.address, "/cable"):
                self.assertTrue(sekisho.reload())
                self.assertEqual(fetch(sekisho.address, "/cable").status, 429)  # not a WebSocket, but that counts too
            wait_until(lambda: sekisho.metric("sekisho_tunnels_active") == 1, "one has closed")
            self.assertEqual(fetch(sekisho.address, "/cable").status, 404)
            # The limit goes while the tunnel stands: its place has to be given back all the same.
            sekisho.configure("")
            self.assertTrue(sekisho.reload())
        wait_until(lambda: sekisho.metric("sekisho_tunnels_active") == 0, "both have closed")
        self.assertEqual(fetch(sekisho.address, "/cable").status, 404)

    def test_a_reload_that_changes_the_room_forgets_nobody(self):
        limit = "limits: [{name: slow, match: {paths: [/slow]}, in_flight: 3}]\n"
        sekisho = self.start("name: slow, match: {paths: [/slow]}, in_flight: 3")
        held = self.sent(sekisho, 3, "/slow?ms=1500")
        wait_until(lambda: self.decisions(sekisho, "slow") == {"allowed": 3}, "three are in progress")
        sekisho.configure(f"client: {{max_connections: 500}}\n{limit}")
        self.assertTrue(sekisho.reload())
        self.assertEqual(fetch(sekisho.address, "/slow?ms=0").status, 429)
        self.assertEqual([client.response().status for client in held], [200, 200, 200])
        wait_until(lambda: fetch(sekisho.address, "/slow?ms=0").status == 200, "all places are free")


class DelayTest(TurnsTest):
    def test_requests_above_the_rate_wait_for_their_turn(self):
        sekisho = self.start("name: paced, rate: 5/s, burst: 1, delay: 1s")
        began = time.monotonic()
        clients = self.sent(sekisho, 8, "/")
        times = []
        statuses = []
        threads = []

        def read(client):
            statuses.append(client.response().status)
            times.append(time.monotonic() - began)

        for client in clients:
            threads.append(threading.Thread(target=read, args=(client,)))
            threads[-1].start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(statuses), [200] * 6 + [429] * 2)
        self.assertEqual(self.decisions(sekisho, "paced"), {"allowed": 1, "delayed": 5, "limited": 2})
        # The last waited a second; nobody waits for another's sake.
        self.assertGreaterEqual(max(times), 0.95)

    def test_a_client_that_goes_is_dropped_and_has_spent_its_token(self):
        sekisho = self.start("name: paced, rate: 1/s, burst: 1, delay: 10s", workers=1)
        self.assertEqual(fetch(sekisho.address, "/first").status, 200)
        with Client(sekisho.address) as client:
            client.send(request_bytes("GET", "/gone"))
            wait_until(lambda: self.decisions(sekisho, "paced").get("delayed") == 1, "it waits")
            self.assertEqual(sekisho.metric("sekisho_upstream_in_flight"), 0)
        wait_until(lambda: sekisho.metric("sekisho_requests_total", outcome="client_abort") == 1, "it is dropped")
        began = time.monotonic()
        self.assertEqual(fetch(sekisho.address, "/second").status, 200)
        self.assertGreater(time.monotonic() - began, 1.0)
        done = lambda: [line["path"] for line in sekisho.access_log() if line["outcome"] == "proxied"]  # noqa: E731
        wait_until(lambda: len(done()) == 2, "both are logged")
        self.assertEqual(done(), ["/first", "/second"])

    def test_a_client_that_goes_is_noticed_behind_what_it_sent_ahead(self):
        sekisho = self.start("name: paced, rate: 30/h, burst: 1, delay: 1h", workers=1)
        self.assertEqual(fetch(sekisho.address, "/first").status, 200)
        pipelined = request_bytes("GET", "/gone") + request_bytes("GET", "/ahead") * 500
        upload = request_bytes("POST", "/gone", [("Content-Length", "1000000")]) + b"x" * 20000
        for at, (sent, leave) in enumerate([(pipelined, socket.socket.close), (upload, socket.socket.close), (upload, half_close)]):
            with Client(sekisho.address) as client:
                client.socket.sendall(sent)
                wait_until(lambda: self.decisions(sekisho, "paced").get("delayed") == at + 1, "it waits")
                leave(client.socket)
                gone = lambda: sekisho.metric("sekisho_requests_total", outcome="client_abort")  # noqa: E731
                wait_until(lambda: gone() == at + 1, "it is dropped")

    def test_turns_come_one_by_one_and_at_their_time(self):
        sekisho = self.start("name: paced, rate: 20/s, burst: 1, delay: 2s", workers=1)
        clients = self.sent(sekisho, 30, "/")
        self.assertEqual({client.response().status for client in clients}, {200})
        wait_until(lambda: len(sekisho.access_log()) == 30, "all are logged")
        # By the proxy's own clock, in ms. The time of a head is cut to whole ones.
        began = min(stamp(line["time"]) for line in sekisho.access_log())
        ends = sorted(stamp(line["time"]) + line["duration_ms"] for line in sekisho.access_log())
        late = [end - began - 50 * at for at, end in enumerate(ends)]
        self.assertGreaterEqual(min(late), -3, "nobody before the time")
        self.assertLess(statistics.median(late), 40)
        gaps = [after - before for before, after in itertools.pairwise(ends)]
        self.assertGreater(sum(gap >= 25 for gap in gaps), len(gaps) * 2 / 3, "nor in lumps")

    def test_hundreds_that_wait_hold_nobody_up(self):
        sekisho = self.start("name: paced, match: {paths: [/paced]}, key: global, rate: 100/s, burst: 1, delay: 20s")
        clients = self.sent(sekisho, 400, "/paced")
        wait_until(lambda: sum(self.decisions(sekisho, "paced").values()) == 400, "all have asked")
        began = time.monotonic()
        self.assertEqual(fetch(sekisho.address, "/").status, 200)
        self.assertLess(time.monotonic() - began, 1.0)
        self.assertEqual({client.response().status for client in clients}, {200})


class TarpitTest(TurnsTest):
    def test_the_answer_is_held_back_and_nobody_else_with_it(self):
        sekisho = self.start("name: probes, match: {paths: [/probe]}, block: true, action: {tarpit: 1s}", workers=1)
        began = time.monotonic()
        held = self.sent(sekisho, 5, "/probe")
        with Load(sekisho.address, threads=2) as load:
            self.assertEqual([client.response().status for client in held], [403] * 5)
            self.assertGreaterEqual(time.monotonic() - began, 0.95)
            self.assertEqual(set(load.codes), {200})
        self.assertEqual(held[0].request("GET", "/").status, 200)

    def test_a_client_that_goes_is_noticed_behind_what_it_sent_ahead(self):
        sekisho = self.start("name: probes, block: true, action: {tarpit: 1h}", workers=1)
        with Client(sekisho.address) as client:
            client.socket.sendall(request_bytes("GET", "/probe") + request_bytes("GET", "/ahead") * 500)
            wait_until(lambda: self.decisions(sekisho, "probes").get("blocked") == 1, "it is judged")
        wait_until(lambda: sekisho.metric("sekisho_requests_total", outcome="blocked") >= 1, "it is let go")

    def test_a_thousand_are_held_and_the_rest_answered_at_once(self):
        sekisho = self.start("name: probes, match: {paths: [/probe]}, rate: 1/h, action: {tarpit: 1h}", workers=2)
        self.assertEqual(fetch(sekisho.address, "/probe").status, 200)
        held = self.sent(sekisho, 1000, "/probe")
        wait_until(lambda: self.decisions(sekisho, "probes").get("limited") == 1000, "all are judged")
        began = time.monotonic()
        for _ in range(20):
            self.assertEqual(fetch(sekisho.address, "/probe").status, 429)
        self.assertLess(time.monotonic() - began, 5.0)
        # Those that go make room: one that is held gets no answer.
        for client in held[:10]:
            client.close()
        wait_until(lambda: sekisho.metric("sekisho_requests_total", outcome="limited") == 30, "those left are counted")
        late = self.sent(sekisho, 1, "/probe")[0]
        wait_until(lambda: self.decisions(sekisho, "probes").get("limited") == 1021, "it is judged")
        late.socket.settimeout(0.3)
        with self.assertRaises(TimeoutError):
            late.socket.recv(1)
        # A drain answers them all.
        late.socket.settimeout(20)
        sekisho.signal(signal.SIGTERM)
        self.assertEqual(late.response().status, 429)
        self.assertEqual({client.response().status for client in held[10:]}, {429})
        self.assertEqual(sekisho.wait(), 0)


class OnStatusTest(TurnsTest):
    def test_a_scanner_is_refused_and_a_broken_image_harms_nobody(self):
        sekisho = self.start("name: misses, rate: 10/min, on_status: {codes: [404], distinct: path}, ban: {after: 5, for: 1min}")
        visitor = [("X-Forwarded-For", "198.51.100.7")]
        scanner = [("X-Forwarded-For", "203.0.113.9")]
        with Client(sekisho.address) as client:
            for _ in range(100):
                self.assertEqual(client.request("GET", "/", visitor).status, 200)
                self.assertEqual(client.request("GET", "/status/404/broken.png", visitor).status, 404)
        statuses = []
        with Client(sekisho.address) as client:
            for at in range(30):
                statuses.append(client.request("GET", f"/status/404/{at}", scanner).status)
            self.assertEqual(client.request("GET", "/", scanner).status, 429)
            self.assertEqual(client.request("GET", "/", visitor).status, 200)
        self.assertEqual(statuses, [404] * 10 + [429] * 20)
        wait_until(lambda: len(sekisho.events("ban")) == 1, "the log says so")
        self.assertGreater(self.decisions(sekisho, "misses")["banned"], 0)

    def test_the_applications_answers_count_and_ours_do_not(self):
        sekisho = self.start("name: failures, rate: 3/min, on_status: 5xx")
        for _ in range(2):
            self.assertEqual(fetch(sekisho.address, "/status/500/").status, 500)
        self.origin.signal(signal.SIGKILL)
        self.origin.wait()
        self.assertEqual([fetch(sekisho.address, "/").status for _ in range(5)], [502] * 5)
        self.origin.start()
        sekisho.wait_upstream()
        statuses = [fetch(sekisho.address, "/status/500/").status for _ in range(2)]
        self.assertEqual(statuses, [500, 429])


if __name__ == "__main__":
    unittest.main(verbosity=2)
