"""TLS to the upstream: who is trusted, bytes whole in both directions, and a cut that is not passed as whole."""

import json
import os
import socket
import threading
import unittest
import zlib

from support.http_client import Truncated, fetch
from support.process import free_port, wait_until
from support.sekisho import Origin, Puma, Sekisho
from support.tls import Authority, TlsCase, fetch_tls
from support.upstream import ScriptedUpstream

LARGE = 20 * 1024 * 1024


class UpstreamTlsTest(TlsCase):
    def start(self, upstream, tls, settings="", reached=True, **options):
        text = f"upstream: {{servers: ['{upstream}'], tls: {tls}, idle_timeout: 5s}}\n"
        sekisho = self.enterContext(Sekisho(None, text + settings, **options))
        return sekisho.wait_upstream() if reached else sekisho

    def upstream_tls(self):
        return f"{{ca: {self.authority.ca}}}"

    def secured_origin(self):
        """An origin behind TLS: a second Sekisho in front of it."""
        origin = self.enterContext(Origin())
        port = free_port()
        return self.enterContext(Sekisho(origin.upstream, port=port, listen=self.listen(port))).wait_upstream()

    def test_large_bodies_are_whole_over_tls_on_both_sides(self):
        far = self.secured_origin()
        near = self.start(f"127.0.0.1:{far.port}", self.upstream_tls(), workers=2)
        body = os.urandom(1024 * 1024) * 20
        for options in ({}, {"chunked": True}):
            answer = fetch(near.address, "/upload", "POST", body=body, **options)
            self.assertEqual(json.loads(answer.text), {"size": LARGE, "crc32": zlib.crc32(body)})
        expected = fetch_tls(far.address, self.trusting, f"/bytes?n={LARGE}").body
        self.assertEqual(fetch(near.address, f"/bytes?n={LARGE}").body, expected)
        # Reused: one connection served all of it, or one a worker.
        accepted = near.metric("sekisho_upstream_connections")
        self.assertLessEqual(accepted, 2)

    def test_many_clients_share_the_pool_over_all_workers(self):
        far = self.secured_origin()
        near = self.start(f"127.0.0.1:{far.port}", self.upstream_tls(), workers=2)
        problems = []

        def ask():
            try:
                for n in range(100):
                    if len(fetch(near.address, f"/bytes?n={n}").body) != n:
                        problems.append(n)
            except (OSError, Truncated) as problem:
                problems.append(problem)

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(problems, [])

    def test_puma_with_its_own_tls(self):
        puma = self.enterContext(Puma(tls=(self.authority.path("server.pem"), self.authority.path("server.key"))))
        sekisho = self.start(puma.upstream, self.upstream_tls())
        for _ in range(20):
            self.assertEqual(fetch(sekisho.address, "/up").status, 200)
        form = [("Content-Type", "application/x-www-form-urlencoded")]
        body = b"title=t&body=" + b"x" * 300_000
        self.assertLess(fetch(sekisho.address, "/articles", "POST", form, body).status, 500)
        self.assertEqual(puma.requests()[-1]["method"], "POST")

    def refused(self, tls, reason):
        far = self.secured_origin()
        sekisho = self.start(f"127.0.0.1:{far.port}", tls, reached=False)
        self.assertEqual(fetch(sekisho.address).status, 502)
        self.assertEqual(fetch(sekisho.address).status, 502)
        said = wait_until(lambda: sekisho.events("upstream_tls"), "the log says why")
        self.assertEqual([event["reason"] for event in said], [f"tls: certificate verify failed ({reason})"])
        self.assertEqual(said[0]["server"], f"127.0.0.1:{far.port}")
        self.assertEqual(sekisho.metric("sekisho_upstream_errors_total", reason="connect"), 2)

    def test_a_foreign_authority_is_not_trusted(self):
        other = self.enterContext(Authority())
        self.refused(f"{{ca: {other.ca}}}", "unable to get local issuer certificate")

    def test_the_system_does_not_trust_a_private_authority(self):
        self.refused("{verify: true}", "unable to get local issuer certificate")

    def test_another_name_is_not_trusted(self):
        self.refused(f"{{ca: {self.authority.ca}, server_name: app.internal}}", "hostname mismatch")

    def test_server_name_is_asked_for_and_checked(self):
        self.authority.issue("app", "DNS:app.internal")
        asked = []

        def serve(connection, _number):
            context = self.authority.server("app")
            context.sni_callback = lambda _tls, name, _context: asked.append(name)
            with context.wrap_socket(connection, server_side=True) as tls:
                tls.recv(65536)
                tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")

        upstream = self.enterContext(ScriptedUpstream(serve))
        sekisho = self.start(upstream.upstream, f"{{ca: {self.authority.ca}, server_name: app.internal}}")
        self.assertEqual(fetch(sekisho.address).text, "ok")
        self.assertEqual(set(asked), {"app.internal"})

    def test_without_verify_anybody_is_taken(self):
        far = self.secured_origin()
        sekisho = self.start(f"127.0.0.1:{far.port}", "{verify: false}")
        self.assertEqual(fetch(sekisho.address).status, 200)

    def test_a_close_delimited_response_that_was_cut_is_not_passed_as_whole(self):
        asked = []

        def serve(connection, _number):
            with self.authority.server("server").wrap_socket(connection, server_side=True) as tls:
                if not tls.recv(65536):
                    return  # a health check
                asked.append(tls)
                tls.sendall(b"HTTP/1.1 200 OK\r\n\r\nsome of it")
                if len(asked) == 1:
                    tls.shutdown(socket.SHUT_WR)  # a FIN, no close_notify
                else:
                    tls.unwrap().close()

        upstream = self.enterContext(ScriptedUpstream(serve))
        sekisho = self.start(upstream.upstream, self.upstream_tls())
        with self.assertRaises(Truncated):
            fetch(sekisho.address)
        self.assertEqual(fetch(sekisho.address).text, "some of it")

    def test_a_server_that_speaks_no_tls_is_a_failed_connect(self):
        upstream = self.enterContext(ScriptedUpstream(lambda connection, _number: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")))
        sekisho = self.start(upstream.upstream, "{verify: false}", reached=False)
        self.assertEqual(fetch(sekisho.address).status, 502)
        said = wait_until(lambda: sekisho.events("upstream_tls"), "the log says why")
        self.assertEqual(said[0]["reason"], "tls: wrong version number")

    def test_connect_timeout_covers_the_handshake(self):
        silent = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(silent.close)
        port = silent.getsockname()[1]
        text = f"upstream: {{servers: ['127.0.0.1:{port}'], tls: {{verify: false}}, connect_timeout: 500ms, retries: 0}}\n"
        sekisho = self.enterContext(Sekisho(None, text))
        self.assertEqual(fetch(sekisho.address).status, 502)
        said = wait_until(lambda: sekisho.events("upstream_tls"), "the log says why")
        self.assertEqual(said[0]["reason"], "tls: given up before the handshake was over")

    def test_health_checks_go_over_tls_too(self):
        far = self.secured_origin()
        check = ", health_check: {path: /, interval: 100ms, unhealthy_after: 1, healthy_after: 1}"
        near = self.start(f"127.0.0.1:{far.port}", self.upstream_tls() + check)
        wait_until(lambda: any(line["user_agent"] == "sekisho-health-check" for line in far.access_log()), "it is asked")
        self.assertEqual(near.ask("/readyz").status, 200)
        foreign = self.enterContext(Authority())
        near = self.start(f"127.0.0.1:{far.port}", f"{{ca: {foreign.ca}}}{check}", reached=False)
        down = wait_until(lambda: near.events("upstream_down"), "it is down")[0]
        self.assertIn("certificate verify failed", down["reason"])
        self.assertEqual(near.ask("/readyz").status, 503)

    def test_a_reload_to_other_settings_opens_other_connections(self):
        far = self.secured_origin()
        server = f"127.0.0.1:{far.port}"
        sekisho = self.start(server, self.upstream_tls())
        self.assertEqual(fetch(sekisho.address).status, 200)
        text = f"upstream: {{servers: ['{server}'], tls: {{ca: {self.authority.ca}, server_name: app.internal}}}}\n"
        sekisho.configure(text)
        self.assertTrue(sekisho.reload())
        self.assertEqual(fetch(sekisho.address).status, 502, "an idle connection of the old settings was reused")
        sekisho.configure(text.replace(", server_name: app.internal", ""))
        self.assertTrue(sekisho.reload())
        self.assertEqual(fetch(sekisho.address).status, 200)
        with open(self.authority.ca, "w", encoding="ascii") as file:
            file.write("no certificate")
        self.assertFalse(sekisho.reload())
        self.assertEqual(fetch(sekisho.address).status, 200)


if __name__ == "__main__":
    unittest.main(verbosity=2)
