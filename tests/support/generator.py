"""sekisho-load as tests run it: to its end, or ended early."""

import json
import os
import subprocess
from dataclasses import dataclass

from support.process import PATIENCE, Process

LOAD = os.environ.get("SEKISHO_LOAD", "")


@dataclass
class Outcome:
    exit_status: int
    report: dict  # what --json wrote; None where it wrote nothing
    said: str  # stderr

    def of(self, name="main"):
        """One class of the report."""
        return next(one for one in self.report["classes"] if one["name"] == name)


def accounted(one):
    """The requests of a class that have any end at all."""
    return one["requests"] + sum(one["errors"].values()) + one["unfinished"] + one["unsent"]


def generate(target, *arguments, environment=None, before=()):
    """Runs it against `target`, a (host, port) pair or an address as text; None leaves it to the arguments. `before`: a command to run it by."""
    if isinstance(target, tuple):
        target = f"[{target[0]}]:{target[1]}" if ":" in target[0] else f"{target[0]}:{target[1]}"
    command = [*before, LOAD, "--json", "-", "--quiet", *arguments, *([target] if target else [])]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60 * PATIENCE, env={**os.environ, **(environment or {})}, check=False
    )
    return Outcome(done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr)


class Generator(Process):
    """The same, running beside the test; its table is what out() gives once it has ended."""

    def __init__(self, address, *arguments):
        super().__init__([LOAD, *arguments, f"{address[0]}:{address[1]}"])
