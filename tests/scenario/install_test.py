"""What cmake --install puts down works from there: bench/compare as sekisho-compare finds its parts and its binaries. No figure is judged."""

import json
import os
import subprocess
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.dirname(os.path.join(ROOT, os.environ["SEKISHO_BINARY"]))


class Install(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.prefix = folder.name
        self.run_there("cmake", "--install", BUILD, "--prefix", self.prefix)

    def run_there(self, *command):
        done = subprocess.run(command, cwd=self.prefix, capture_output=True, text=True, timeout=100, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_compare_runs_from_there(self):
        compare = os.path.join(self.prefix, "bin/sekisho-compare")
        self.assertIn("refuse_pipelined", self.run_there(compare, "--list"))
        self.run_there(compare, "--smoke", "--only", "refuse")
        results = os.path.join(self.prefix, "compare-results")
        with open(os.path.join(results, "compare.json"), encoding="utf-8") as file:
            report = json.load(file)
        self.assertEqual({run["contender"] for run in report["cells"]["refuse"]["runs"]}, {"nginx", "haproxy", "floor", "sekisho"})
        self.assertIn("compare_ratio.svg", os.listdir(results))

    def test_tools_and_their_documents(self):
        for name in ("sekisho-load", "sekisho-origin", "sekisho-floor"):
            self.assertTrue(os.access(os.path.join(self.prefix, "bin", name), os.X_OK), name)
        for name in ("load.md", "benchmarks.md"):
            self.assertTrue(os.path.isfile(os.path.join(self.prefix, "share/doc/sekisho", name)), name)


if __name__ == "__main__":
    unittest.main()
