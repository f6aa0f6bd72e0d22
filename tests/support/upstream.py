"""An upstream that behaves as badly as a test wants: a function serves each connection."""

import os
import socket
import tempfile
import threading


class ScriptedUpstream:
    """serve(connection, number) runs in a thread for each connection accepted; number counts them from 0."""

    def __init__(self, serve, unix=False):
        self.serve = serve
        self.folder = tempfile.TemporaryDirectory(prefix="sekisho-test-")
        if unix:
            self.address = os.path.join(self.folder.name, "upstream.sock")
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(self.address)
            self.listener.listen(64)
            self.upstream = f"unix:{self.address}"
        else:
            self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
            self.address = self.listener.getsockname()
            self.upstream = f"127.0.0.1:{self.address[1]}"
        self.accepted = 0
        self.connections = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in self.connections:
            connection.close()
        self.folder.cleanup()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self._run, args=(connection,), daemon=True).start()

    def _run(self, connection):
        with connection:
            # A health check connects and leaves: only connections that say something are numbered.
            try:
                if not connection.recv(1, socket.MSG_PEEK):
                    return
                number, self.accepted = self.accepted, self.accepted + 1
                self.serve(connection, number)
            except OSError:
                pass  # the proxy closed first, which is its right


def read_head(connection):
    """The bytes up to and with the empty line; b"" at the end of the connection."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return b""
        data += piece
    return data
