"""What clients know for certain of their requests, and whether the access log says the same."""

import threading
from collections import Counter

_END = {"answered", "cut", "left"}


class Ledger:
    """Every request has a name, which it sends as X-Request-Id and the access log repeats. Its end is one of

    answered   the response came whole: one line in the log, with its status
    cut        the connection ended within it, or while the request was still being sent: one line, that does not say proxied
    left       the client went first. Where it had seen a status: one line with that; else at most one, as the kernel may
               have thrown away what was sent

    Thread-safe."""

    def __init__(self):
        self.lock = threading.Lock()
        self.requests = {}  # name: [end, status or None]
        self.kinds = Counter()
        self.problems = []
        self.unnamed = Counter()  # statuses of answers to what was no request
        self.probes = []  # (status, bytes of the body) of each answer to a balancer's probe

    def open(self, kind):
        with self.lock:
            name = f"{kind}.{self.kinds[kind]}"
            self.kinds[kind] += 1
            self.requests[name] = ["open", None]
            return name

    def close(self, name, end, status=None):
        assert end in _END
        with self.lock:
            self.requests[name] = [end, status]

    def problem(self, text):
        with self.lock:
            self.problems.append(text)

    def count(self, what):
        with self.lock:
            self.unnamed[what] += 1

    def ends(self):
        return Counter(end for end, _ in self.requests.values())

    def compare(self, lines):
        """What is wrong between this and the lines of the access log, as texts."""
        found = list(self.problems)
        logged = {}
        for line in lines:
            if line["request_id"] in self.requests:
                logged.setdefault(line["request_id"], []).append(line)
            elif line["status"] not in (0, 400, 431):  # what broke within its head has no name of ours
                found.append(f"nobody sent this: {line}")
        for name, (end, status) in self.requests.items():
            seen = logged.get(name, [])
            statuses = [line["status"] for line in seen]
            if end == "open":
                found.append(f"{name} has no end")
            elif len(seen) > 1:
                found.append(f"{name} is in the log {len(seen)} times: {statuses}")
            elif not seen:
                if end != "left" or status is not None:
                    found.append(f"{name} was {end} ({status}) and is not in the log")
            elif status is not None and statuses != [status]:
                found.append(f"{name} was {end} with {status}, and {statuses[0]} in the log")
            elif end == "cut" and seen[0]["outcome"] == "proxied":
                found.append(f"{name} was cut at {status}, and proxied in the log")
        return found
