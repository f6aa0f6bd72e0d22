"""sekisho-load for real: what it counts is what the other side counts, and its times have the floors that they must have. Nothing here says
how fast anything is."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import threading
import time
import unittest
from collections import Counter

from support.generator import LOAD, Generator, accounted, generate
from support.http_client import fetch
from support.process import free_port, wait_until
from support.sekisho import Origin, Sekisho

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class LoadTest(unittest.TestCase):
    def setUp(self):
        self.origin = self.enterContext(Origin())

    def generate(self, *arguments, target=None):
        """A run in which everything went well; the one class of it."""
        outcome = generate(target or self.origin.address, *arguments)
        self.assertEqual(outcome.exit_status, 0, outcome.said)
        return outcome.of()

    def scenario(self, text):
        file = self.enterContext(tempfile.NamedTemporaryFile("w", suffix=".yaml"))
        file.write(text)
        file.flush()
        return file.name


class OriginTest(LoadTest):
    def test_every_framing_of_a_response(self):
        paths = {"/bytes?n=100000": 200, "/chunked?n=100000": 200, "/status/204": 204, "/status/304": 304, "/status/503": 503,
                 "/rails?n=5000&chunk=1000": 200, "/rails": 200, "/": 200}
        arguments = [part for path in paths for part in ("--path", path)]
        one = self.generate("--requests", "800", "--connections", "7", *arguments)
        # Each connection takes the paths in turn: every path has as many of each connection's requests, but for its last round.
        self.assertEqual(sum(one["statuses"].values()), 800)
        self.assertEqual(set(one["statuses"]), {"200", "204", "304", "503"})
        self.assertEqual((one["requests"], accounted(one), sum(one["errors"].values())), (800, 800, 0))
        self.assertEqual(one["connections"], 7)

    def test_pages_to_order(self):
        page = fetch(self.origin.address, "/rails?n=5000&chunk=700&status=404&ms=1", fields=[("X-Request-Id", "mine")])
        self.assertEqual((page.status, len(page.body), page.get("Transfer-Encoding"), page.get("X-Request-Id")), (404, 5000, "chunked", "mine"))
        for status, reason in [(201, "Created"), (403, "Forbidden"), (429, "Too Many Requests"), (503, "Service Unavailable")]:
            for path in (f"/rails?status={status}", f"/status/{status}"):
                named = fetch(self.origin.address, path)
                self.assertEqual((named.status, named.reason), (status, reason), path)
        for name in ("ETag", "Set-Cookie", "X-Runtime", "X-Frame-Options", "Cache-Control"):
            self.assertTrue(page.get(name), name)
        # Three of four: which of them a connection meets is chance, how many is not.
        self.assertEqual(self.generate("--requests", "40", "--path", "/rails?error=4")["statuses"], {"200": 30, "500": 10})
        for chunk in (0, 1000):
            one = self.generate("--requests", "40", "--path", f"/rails?cut=4&chunk={chunk}")
            self.assertEqual((one["statuses"], one["errors"]["reset"]), ({"200": 30}, 10))

    def test_long_bodies_end_where_they_end(self):
        # Their bytes are let go of unseen, but not those that follow: a chunk's end, or the head of a pipelined response.
        unix = self.enterContext(Origin(unix=True))
        arguments = ["--path", "/bytes?n=1000000", "--path", "/bytes?n=16385", "--path", "/chunked?n=1000000", "--path", "/"]
        for target, more in ((self.origin.address, []), (unix.upstream, []), (self.origin.address, ["--pipeline", "8"]), (unix.upstream, ["--fresh"])):
            one = self.generate("--requests", "160", "--connections", "2", *arguments, *more, target=target)
            self.assertEqual((one["statuses"], sum(one["errors"].values())), ({"200": 160}, 0))
            self.assertGreater(one["bytes_in"], 40 * 2_016_385)

    def test_head(self):
        one = self.generate("--requests", "100", "--method", "HEAD", "--path", "/bytes?n=1000", "--path", "/chunked?n=1000")
        self.assertEqual(one["statuses"], {"200": 100})
        self.assertLess(one["bytes_in"], 100 * 1000)

    def test_fresh_and_kept_connections(self):
        self.assertEqual(self.generate("--requests", "300", "--fresh")["connections"], 300)
        one = self.generate("--requests", "300", "--keepalive", "10", "--connections", "2", "--threads", "2")
        self.assertEqual((one["requests"], one["statuses"]), (300, {"200": 300}))
        self.assertEqual(one["connections"], 30)

    def test_pipelining(self):
        one = self.generate("--requests", "1600", "--pipeline", "16", "--connections", "4", "--path", "/bytes?n=1000", "--path", "/")
        self.assertEqual((one["requests"], one["statuses"]), (1600, {"200": 1600}))

    def test_uploads(self):
        for chunked in ([], ["--chunked"]):
            # Small ones are written with their head, large ones from where they lie.
            for size in (2000, 3_000_000):
                one = self.generate("--requests", "12", "--connections", "2", "--body", str(size), "--path", "/upload", *chunked)
                self.assertEqual(one["statuses"], {"200": 12})
                self.assertGreater(one["bytes_out"], 12 * size)

    def test_uploads_are_whole(self):
        # The origin gives a body back as it came: the response is as long as what was sent.
        for arguments in (["--pipeline", "4"], ["--send-rate", "200KiB"]):
            one = self.generate("--requests", "8", "--connections", "2", "--body", "50000", "--chunked", "--path", "/echo", *arguments)
            self.assertEqual(one["statuses"], {"200": 8})
            self.assertGreater(one["bytes_in"], 8 * 50000)

    def test_a_slow_reader_takes_its_time(self):
        one = self.generate("--requests", "2", "--connections", "2", "--read-rate", "100KiB", "--path", "/bytes?n=100000")
        self.assertEqual(one["statuses"], {"200": 2})
        self.assertGreaterEqual(one["latency_ms"]["min"], 976)  # no byte before it is due; how much later is the machine's doing

    def test_a_slow_sender_takes_its_time(self):
        one = self.generate("--requests", "2", "--connections", "2", "--send-rate", "10KiB", "--body", "5000", "--path", "/upload")
        self.assertEqual(one["statuses"], {"200": 2})
        self.assertGreater(one["latency_ms"]["min"], 488)

    def test_bytes_are_of_the_measured_time(self):
        # Begun within it and answered after its end: the request counts, and latency too, but not the bytes that came later.
        one = self.generate("--connections", "1", "--duration", "300ms", "--warmup", "0s", "--path", "/slow?ms=1000")
        self.assertEqual((one["requests"], one["bytes_in"]), (1, 0))
        self.assertGreater(one["bytes_out"], 0)

    def test_a_unix_socket(self):
        origin = self.enterContext(Origin(unix=True))
        for arguments in ([], ["--fresh", "--connections", "2"]):
            self.assertEqual(self.generate("--requests", "50", *arguments, target=origin.upstream)["statuses"], {"200": 50})

    def test_a_thinking_client(self):
        one = self.generate("--connections", "5", "--think", "20ms", "--think-random", "--duration", "500ms", "--warmup", "0s")
        self.assertGreater(one["requests"], 0)
        self.assertEqual(set(one["statuses"]), {"200"})


class OpenLoopTest(LoadTest):
    def test_as_many_requests_as_the_rate_says(self):
        for arguments in ([], ["--threads", "2"], ["--fresh"], ["--pipeline", "5"], ["--pipeline", "10", "--keepalive", "4"],
                          ["--pipeline", "10", "--keepalive", "25", "--threads", "2"]):
            one = self.generate("--rate", "500", "--duration", "1s", "--warmup", "100ms", "--connections", "8", *arguments)
            # Each was due at a time of its own, and has an end, whatever the machine was doing then.
            self.assertEqual(accounted(one), 500, one)
            self.assertGreater(one["requests"], 0)

    def test_no_coordinated_omission(self):
        load = self.enterContext(Generator(self.origin.address, "--rate", "200", "--connections", "2", "--duration", "6s", "--warmup", "0s",
                                           "--json", os.path.join(self.origin.folder, "report")))
        wait_until(self.origin.clients, "it has connected")
        self.origin.signal(signal.SIGSTOP)
        time.sleep(0.3)  # the stall itself
        self.origin.signal(signal.SIGCONT)
        self.assertEqual(load.wait(), 0)
        with open(os.path.join(self.origin.folder, "report"), encoding="utf-8") as file:
            one = json.load(file)["classes"][0]
        self.assertEqual(accounted(one), 1200)
        # Two requests were under way in it and 60 were due: of 1200 a hundredth, the 12 of its beginning, waited nearly all of it.
        self.assertGreater(one["latency_ms"]["p99"], 200)

    def test_what_cannot_be_sent_is_told(self):
        one = self.generate("--rate", "100", "--connections", "1", "--duration", "1s", "--warmup", "0s", "--path", "/slow?ms=150")
        self.assertEqual(accounted(one), 100)
        self.assertGreater(one["unsent"], 80)
        self.assertGreater(one["latency_ms"]["max"], 400)


    def test_too_few_connections_are_told(self):
        outcome = generate(self.origin.address, "--rate", "2000", "--connections", "2", "--duration", "1s", "--warmup", "0s", "--path", "/slow?ms=50")
        # Each sends twenty a second at most: all but the first two found both of them busy.
        self.assertGreater(outcome.of()["all_busy_share"], 0.95)
        self.assertIn("all 2 connections of main were busy when", "".join(outcome.report["hints"]))
        self.assertIn("--connections", "".join(outcome.report["hints"]))

    def test_connections_enough(self):
        outcome = generate(self.origin.address, "--rate", "20", "--connections", "32", "--duration", "1s", "--warmup", "0s")
        # There are more of them than requests.
        self.assertEqual((outcome.of()["all_busy_share"], outcome.report["hints"]), (0, []))


class ProxyTest(LoadTest):
    def start(self, limits):
        return self.enterContext(Sekisho(self.origin.upstream, limits)).wait_upstream()

    def log(self, sekisho, lines):
        wait_until(lambda: len(sekisho.access_log()) >= lines, f"{lines} lines of the access log")
        return sekisho.access_log()

    def test_statuses_are_those_of_the_log_and_the_metrics(self):
        sekisho = self.start("limits: [{name: each, rate: 5/h}]\n")
        one = self.generate("--requests", "500", "--clients", "uniform:20", "--host", "localhost", target=sekisho.address)
        log = self.log(sekisho, 500)
        self.assertEqual(one["statuses"], {str(status): count for status, count in Counter(line["status"] for line in log).items()})
        self.assertEqual(one["statuses"], {"200": 100, "429": 400})
        counted = {name: sekisho.metric("sekisho_limit_decisions_total", limit="each", decision=name) for name in ("allowed", "limited")}
        self.assertEqual(counted, {"allowed": 100, "limited": 400})

    def test_pipelined_refusals(self):
        sekisho = self.start("limits: [{name: none, match: {paths: [/no]}, block: true}]\n")
        # No more than the log's ring holds, should its writer get no turn meanwhile.
        one = self.generate("--requests", "1600", "--pipeline", "16", "--connections", "4", "--path", "/no", "--host", "localhost",
                            target=sekisho.address)
        self.assertEqual(one["statuses"], {"403": 1600})
        self.assertEqual(len(self.log(sekisho, 1600)), 1600)

    def test_an_ipv6_population(self):
        sekisho = self.start("")
        self.generate("--requests", "100", "--clients", "sequential:50", "--ip", "v6", "--threads", "2", "--connections", "4", "--host", "localhost",
                      target=sekisho.address)
        clients = Counter(line["client_ip"] for line in self.log(sekisho, 100))
        self.assertEqual((len(clients), set(clients.values())), (50, {2}))
        self.assertTrue(all(client.startswith("2001:db8:") for client in clients), clients)

    def test_one_address_a_connection(self):
        sekisho = self.start("")
        self.generate("--requests", "60", "--connections", "6", "--threads", "2", "--clients", "per-connection", "--client-base", "198.51.100.7",
                      "--host", "localhost", target=sekisho.address)
        clients = {line["client_ip"] for line in self.log(sekisho, 60)}
        self.assertLessEqual(clients, {f"198.51.100.{7 + number}" for number in range(6)})

    def test_an_upload_refused_before_its_end(self):
        sekisho = self.start("limits: [{name: none, match: {paths: [/no]}, block: true}]\n")
        one = self.generate("--requests", "20", "--connections", "2", "--body", "5MiB", "--path", "/no", "--host", "localhost",
                            target=sekisho.address)
        self.assertEqual(accounted(one), 20)
        self.assertEqual(set(one["statuses"]), {"403"})

    def test_the_attack_of_the_example(self):
        with open(os.path.join(SOURCE, "config/examples/quickstart.yaml"), encoding="utf-8") as file:
            settings = "".join(line for line in file if not line.startswith(("listen:", "upstream:")))
        sekisho = self.start(settings)
        outcome = generate(sekisho.address, "-f", os.path.join(SOURCE, "bench/load/scenario_attack.yaml"), "--duration", "3s", "--warmup", "0s")
        self.assertEqual(outcome.exit_status, 0, outcome.said)
        self.assertEqual(set(outcome.of("users")["statuses"]), {"200"})
        self.assertEqual(set(outcome.of("scanner")["statuses"]), {"403"})
        self.assertEqual(accounted(outcome.of("scanner")), 10)
        # As many get through as the limit lets: how many come depends on the machine.
        self.assertLessEqual(set(outcome.of("flood")["statuses"]), {"200", "429"})


class Peer:
    """A server that does one thing to each connection, in a thread of its own."""

    def __init__(self, serve):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.address = self.listener.getsockname()
        self.serve = serve
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        with contextlib.ExitStack() as held:
            while True:
                try:
                    connection = held.enter_context(self.listener.accept()[0])
                except OSError:
                    return
                with contextlib.suppress(OSError):
                    if connection.recv(65536):
                        self.serve(connection)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *unused):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(10)


class FaultsTest(LoadTest):
    def errors(self, serve, *arguments):
        with Peer(serve) as peer:
            outcome = generate(peer.address, "--requests", "5", "--connections", "1", *arguments)
        one = outcome.of()
        self.assertEqual(accounted(one), 5, one)
        return outcome.exit_status, {name: count for name, count in one["errors"].items() if count}, outcome.said

    def test_a_peer_that_makes_no_sense(self):
        # The last one waits for an answer to its line: no head of its own will end.
        for said in (b"HTTP/1.1 200 OK\r\nno field\r\n\r\n", b"SSH-2.0-OpenSSH_9.6\r\n"):
            self.assertEqual(self.errors(lambda peer, said=said: peer.sendall(said), "--timeout", "1min")[:2], (1, {"malformed": 5}))

    def test_a_peer_that_hangs_up(self):
        self.assertEqual(self.errors(lambda peer: peer.close())[:2], (1, {"reset": 5}))

        def half(peer):
            peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
            peer.close()

        self.assertEqual(self.errors(half)[:2], (1, {"reset": 5}))

    def test_a_peer_that_says_nothing(self):
        status, errors, said = self.errors(lambda peer: None, "--timeout", "100ms")
        self.assertEqual((status, errors), (1, {"timeout": 5}))
        self.assertIn("nothing answered at 127.0.0.1:", said)

    def test_a_body_up_to_the_end_of_the_connection(self):
        def whole(peer):
            peer.sendall(b"HTTP/1.1 200 OK\r\n\r\nall of it")
            peer.close()

        self.assertEqual(self.errors(whole)[:2], (0, {}))

    def test_a_peer_that_ends_the_connection_with_its_response(self):
        def both(peer):
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", socket.MSG_MORE)  # one segment has both
            peer.shutdown(socket.SHUT_WR)

        self.assertEqual(self.errors(both)[:2], (0, {}))

    def test_nobody_listens(self):
        outcome = generate(("127.0.0.1", free_port()), "--duration", "300ms", "--warmup", "0s")
        self.assertEqual(outcome.exit_status, 1)
        self.assertIn("Connection refused", outcome.said)
        self.assertGreater(outcome.of()["errors"]["connect"], 0)

    def test_a_target_that_ends_meanwhile(self):
        sekisho = self.enterContext(Sekisho(self.origin.upstream)).wait_upstream()
        load = self.enterContext(Generator(sekisho.address, "--think", "5ms", "--connections", "4", "--duration", "4s", "--warmup", "0s",
                                           "--host", "localhost"))
        wait_until(sekisho.access_log, "somebody is answered")
        sekisho.signal(signal.SIGKILL)
        self.assertEqual(load.wait(), 0, load.err())
        self.assertIn("without a connection", load.out())


class BottleneckTest(LoadTest):
    def test_a_generator_whose_processor_others_have(self):
        processor = min(os.sched_getaffinity(0))
        for _ in range(2):
            busy = subprocess.Popen([sys.executable, "-c", f"import os; os.sched_setaffinity(0, [{processor}])\nwhile True: pass"])
            self.addCleanup(busy.wait)
            self.addCleanup(busy.kill)
        # The least of them all, it is let run for a small part of the time that it wants to: whether anything is answered then is not the point.
        outcome = generate(self.origin.address, "--duration", "1s", "--warmup", "0s", before=["taskset", "-c", str(processor), "nice", "-n", "19"])
        load = outcome.report["load"]
        if load["waited_share"] is None:
            self.skipTest("this kernel does not count it")
        self.assertGreater(load["waited_share"], 0.1)
        self.assertTrue(load["bottleneck"])
        self.assertIn(" % of the time for a processor", "".join(load["bottleneck_reasons"]))


class CommandTest(LoadTest):
    def test_ended_early_it_tells_what_there_is(self):
        load = self.enterContext(Generator(self.origin.address, "--rate", "100", "--warmup", "0s", "--duration", "1h"))
        wait_until(self.origin.clients, "it has connected")
        load.signal(signal.SIGINT)
        self.assertEqual(load.wait(), 0 if "200 x" in load.out() else 1)
        self.assertIn("(interrupted)", load.out())
        self.assertIn("The generator: ", load.out())

    def test_the_progress_line_fits_the_terminal(self):
        terminal, child = os.openpty()
        self.addCleanup(os.close, terminal)
        termios.tcsetwinsize(child, (24, 30))
        load = subprocess.Popen([LOAD, "--think", "20ms", "--duration", "1s", "--warmup", "0s", f"127.0.0.1:{self.origin.address[1]}"],
                                stdout=subprocess.DEVNULL, stderr=child)
        os.close(child)
        shown = b""
        with contextlib.suppress(OSError):  # which is how a terminal says that nobody holds its other side any more
            while part := os.read(terminal, 4096):
                shown += part
        self.assertEqual(load.wait(), 0)
        lines = shown.decode().split("\r\x1b[K")
        self.assertEqual((lines[0], lines[-1]), ("", ""))
        self.assertRegex(lines[1], r"^0 s: \d+ answered")
        self.assertLess(max(map(len, lines)), 30)

    def test_bad_usage(self):
        for arguments, why in ((["--connections", "none"], "--connections"), (["--rat", "5"], "did you mean --rate?"), (["--duration", "5"], "no unit"),
                               (["--rate", "5", "--think", "1s"], "at odds")):
            outcome = generate(self.origin.address, *arguments)
            self.assertEqual(outcome.exit_status, 2, arguments)
            self.assertIn(why, outcome.said)
        self.assertEqual(generate(None).exit_status, 2)

    def test_where_the_results_go_is_open_before_the_run(self):
        path = os.path.join(self.origin.folder, "none", "report")
        load = self.enterContext(Generator(("127.0.0.1", free_port()), "--json", path, "--duration", "1h"))
        self.assertEqual(load.wait(), 1)  # long before its hour is over, and before it found that nobody listens there
        self.assertEqual(load.err(), f"sekisho-load: cannot write the results to {path}: No such file or directory\n")
        report = os.path.join(self.origin.folder, "report")
        for requests in (20, 10):  # the second in the place of the first
            load = self.enterContext(Generator(self.origin.address, "--json", report, "--requests", str(requests)))
            self.assertEqual(load.wait(), 0, load.err())
            with open(report, encoding="utf-8") as file:
                self.assertEqual(json.load(file)["classes"][0]["requests"], requests)

    def test_problems_of_a_file_have_their_place(self):
        path = self.scenario("target: 127.0.0.1:1\nclasses:\n  - name: a\n    connectoins: 4\n    rate: fast\n")
        outcome = generate(None, "-f", path)
        self.assertEqual(outcome.exit_status, 2)
        self.assertIn(f"{path}:4:5: a class has no key connectoins; did you mean connections?", outcome.said)
        self.assertIn(f'{path}:5:11: rate: "fast" is no rate', outcome.said)

    def test_several_classes(self):
        path = self.scenario("defaults: {requests: 40, host: localhost}\nclasses:\n  - {name: a, path: /status/404}\n  - {name: b, fresh: true}\n")
        outcome = generate(self.origin.address, "-f", path)
        self.assertEqual(outcome.exit_status, 0, outcome.said)
        self.assertEqual((outcome.of("a")["statuses"], outcome.of("b")["statuses"]), ({"404": 40}, {"200": 40}))
        self.assertEqual(outcome.report["threads"], 2)

    def test_several_classes_of_the_command_line(self):
        outcome = generate(self.origin.address, "--requests", "40", "--host", "localhost", "--class", "{name: a, path: /status/404}",
                           "--class", "{name: b, fresh: true, requests: 20}")
        self.assertEqual(outcome.exit_status, 0, outcome.said)
        self.assertEqual((outcome.of("a")["statuses"], outcome.of("b")["statuses"]), ({"404": 40}, {"200": 20}))
        self.assertEqual(outcome.of("b")["connections"], 20)

    def test_more_connections_than_fit(self):
        outcome = generate(self.origin.address, "--connections", "1000000", "--duration", "10ms")
        if outcome.exit_status == 1:  # some machines have room for them
            self.assertIn("descriptors", outcome.said)


if __name__ == "__main__":
    unittest.main()
