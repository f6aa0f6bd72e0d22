"""bench/compare at its smallest: that it works and that every proxy does what it is compared for. No figure is judged."""

import json
import os
import shutil
import subprocess
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARIES = ["--sekisho", os.environ.get("SEKISHO_BINARY", ""), "--load", os.environ.get("SEKISHO_LOAD", ""), "--floor", os.environ.get("SEKISHO_FLOOR", "")]
# One of each kind; the others differ in their numbers alone.
CELLS = ["get32_log", "get256", "refuse_many", "refuse_pipelined", "fresh", "down", "up", "workers", "flood", "idle", "tracked", "forgotten", "reloads",
         "start_up", "sizes"]


def compare(*arguments):
    return subprocess.run(["/usr/bin/python3", os.path.join(ROOT, "bench/compare"), *arguments], capture_output=True, text=True, timeout=240, check=False)


class CompareSmall(unittest.TestCase):
    def test_every_kind_of_cell(self):
        missing = [name for name in ("nginx", "haproxy", "strace") if not shutil.which(name)]
        self.assertFalse(missing, "scripts/test installs them")
        with tempfile.TemporaryDirectory() as out:
            done = compare("--smoke", *BINARIES, "--out", out, *(word for cell in CELLS for word in ("--only", cell)))
            self.assertEqual(done.returncode, 0, done.stderr)
            with open(os.path.join(out, "compare.json"), encoding="utf-8") as file:
                report = json.load(file)
            with open(os.path.join(out, "compare.md"), encoding="utf-8") as file:
                table = file.read()
            plots = {name for name in os.listdir(out) if name.endswith(".svg")}
        self.assertEqual(plots, {"compare_ratio.svg", "compare_cells.svg", "compare_flood.svg"}, done.stderr)
        self.assertEqual(sorted(report["cells"]), sorted(CELLS))
        self.assertEqual({run["contender"] for run in report["cells"]["get256"]["runs"]},
                         {"nginx", "nginx, tuned", "haproxy", "haproxy, tuned", "floor", "sekisho"})
        for cell, status in [("get256", "200"), ("refuse_many", "429"), ("down", "200")]:
            for run in report["cells"][cell]["runs"]:
                self.assertGreaterEqual(run["statuses"][status], 0.98 * run["requests"], (cell, run))
                self.assertGreater(run["cpu_us_per_request"], 0, (cell, run))
        # The open loop asks the same of everybody.
        paced = report["cells"]["get256"]
        self.assertEqual({run["contender"] for run in paced["paced_runs"]}, {run["contender"] for run in paced["runs"]})
        self.assertIn(f"open loop, {paced['paced_rate']:,}/s", table)
        # Titles say what ran, not what the whole table would have.
        self.assertIn("refusals from 2,000 addresses", table)
        self.assertIn("after one request, of 200, KB", table)
        self.assertNotIn("400,000", table)
        self.assertIn("10 M tracked clients, MB | ≈ ", table)
        # What holds at any scale and speed.
        self.assertEqual(report["cells"]["forgotten"]["values"]["sekisho"]["verdict"], "still refused")
        self.assertEqual(report["cells"]["tracked"]["values"]["sekisho"]["evicted"], 0)
        self.assertIn("## Every cell", table)
        self.assertIn("a blocked client after 40,000 new addresses", table)

    def test_builds_beside_each_other(self):
        with tempfile.TemporaryDirectory() as out:
            binary = BINARIES[1]
            done = compare("--smoke", *BINARIES[2:], "--sekisho", f"old={binary}", "--sekisho", f"new={binary}", "--only", "refuse", "--out", out)
            self.assertEqual(done.returncode, 0, done.stderr)
            with open(os.path.join(out, "compare.json"), encoding="utf-8") as file:
                report = json.load(file)
        self.assertEqual({run["contender"] for run in report["cells"]["refuse"]["runs"]}, {"nginx", "haproxy", "floor", "old", "new"})

    def test_says_what_is_wrong(self):
        unknown = compare("--only", "nothing")
        self.assertEqual(unknown.returncode, 2)
        self.assertIn("no cell nothing", unknown.stderr)
        missing = compare("--smoke", "--sekisho", "/nowhere/sekisho")
        self.assertEqual(missing.returncode, 1)
        self.assertIn("no /nowhere/sekisho", missing.stderr)
        listed = compare("--list").stdout.split()
        self.assertTrue(set(CELLS) <= set(listed), listed)


if __name__ == "__main__":
    unittest.main()
