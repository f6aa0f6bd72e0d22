"""TLS for tests: an authority that issues certificates by the openssl command, and a client that tells a proper end from a cut."""

import os
import ssl
import subprocess
import tempfile
import unittest

from support.http_client import Client, Truncated


def openssl(*arguments, stdin=None):
    """The openssl command run to its end; what it wrote to stdout."""
    done = subprocess.run(["openssl", *arguments], input=stdin, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        raise AssertionError(f"openssl {' '.join(arguments)}: {done.stderr}")
    return done.stdout


class Authority:
    """Its certificate is at `ca`; what it issues lies in the same folder."""

    def __init__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="sekisho-test-")
        self.folder = self._folder.name
        self.ca = self.path("ca.pem")
        openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
            "-subj", "/CN=Test Authority", "-keyout", self.path("ca.key"), "-out", self.ca,
        )

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self._folder.cleanup()

    def path(self, name):
        return os.path.join(self.folder, name)

    def issue(self, file, *names):
        """A certificate for `names` (DNS:… or IP:…) as FILE.pem and FILE.key; both replaced at once where they were there."""
        key, request, made = (self.path(f"{file}.{end}") for end in ("key.new", "csr", "pem.new"))
        openssl(
            "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={file}",
            "-addext", f"subjectAltName={','.join(names)}", "-keyout", key, "-out", request,
        )
        openssl(
            "x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self.path("ca.key"), "-CAcreateserial",
            "-days", "30", "-copy_extensions", "copyall", "-out", made,
        )
        for new in (key, made):
            os.replace(new, new.removesuffix(".new"))
        return self.pair(file)

    def pair(self, file):
        """The YAML of a pair."""
        return f"{{certificate: {self.path(file + '.pem')}, private_key: {self.path(file + '.key')}}}"

    def client(self):
        """A context that trusts this authority, and knows a FIN from a proper end (Python's own default does not)."""
        context = ssl.create_default_context(cafile=self.ca)
        context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
        return context

    def server(self, file):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.path(file + ".pem"), self.path(file + ".key"))
        return context


class TlsClient(Client):
    """One connection over TLS. `cut` is true once it ended without the close_notify that a proper end has, or was reset."""

    def __init__(self, address, context, name="localhost", timeout=20.0):
        super().__init__(address, timeout)
        self.cut = False
        try:
            self.socket = context.wrap_socket(self.socket, server_hostname=name, suppress_ragged_eofs=False)
        except BaseException:
            self.socket.close()
            raise

    def _fill(self):
        try:
            super()._fill()
        except (ssl.SSLError, ConnectionResetError) as problem:
            if isinstance(problem, ssl.SSLError) and "EOF" not in str(problem):
                raise
            self.eof = self.cut = True
            raise Truncated from None

    @property
    def names(self):
        """The DNS names of the certificate that the server showed."""
        return [value for kind, value in self.socket.getpeercert()["subjectAltName"] if kind == "DNS"]


def fetch_tls(address, context, target="/", method="GET", fields=(), body=None, name="localhost"):
    """One request on a connection of its own."""
    with TlsClient(address, context, name) as client:
        return client.request(method, target, [*fields, ("Connection", "close")], body)


class TlsCase(unittest.TestCase):
    """Has an authority, and a certificate of it for localhost as `server`."""

    def setUp(self):
        self.authority = self.enterContext(Authority())
        self.authority.issue("server", "DNS:localhost", "IP:127.0.0.1")
        self.trusting = self.authority.client()

    def listen(self, port, pairs=None):
        """The YAML of a TLS listener."""
        return f'{{address: "127.0.0.1:{port}", tls: {pairs or self.authority.pair("server")}}}'
