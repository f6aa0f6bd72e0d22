"""The curl program as a client: what it was told and what it says of each transfer."""

import json
import subprocess
from dataclasses import dataclass

from support.process import PATIENCE

HOST = "www.example.jp"
_MARK = "\x1e"  # stands before what curl itself says of a transfer; no body of the tests holds it


@dataclass
class Transfer:
    body: bytes
    facts: dict  # curl's --write-out '%{json}'

    @property
    def status(self):
        return self.facts["response_code"]

    @property
    def text(self):
        return self.body.decode()

    @property
    def json(self):
        return json.loads(self.body)


@dataclass
class Done:
    exit_status: int
    transfers: list
    said: str  # stderr: with -v, the heads as they went over the wire

    def received(self, wanted):
        """The response lines of -v that begin so; without their CR."""
        return [line[2:].rstrip() for line in self.said.splitlines() if line.lower().startswith(f"< {wanted}".lower())]


def curl(address, *arguments, paths=("/",), stdin=None):
    """Runs curl against `address` under the name that the tests admit, once for all paths."""
    port = address[1]
    command = ["curl", "-sS", "--resolve", f"{HOST}:{port}:{address[0]}", "--write-out", _MARK + "%{json}" + _MARK]
    command += ["--max-time", str(int(60 * PATIENCE)), *arguments, *[f"http://{HOST}:{port}{path}" for path in paths]]
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=90 * PATIENCE, check=False)
    parts = done.stdout.split(_MARK.encode())
    transfers = [Transfer(body, json.loads(facts)) for body, facts in zip(parts[::2], parts[1::2])]
    return Done(done.returncode, transfers, done.stderr.decode("utf-8", "replace"))
