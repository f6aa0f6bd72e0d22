"""Has spin check claim_protocol.pml through every interleaving of a few threads, and find out every break of it.

Needs spin and gcc. A failing row says how to see the steps that lead there.
"""

import os
import re
import subprocess
import sys
import tempfile
import unittest
from concurrent.futures import ThreadPoolExecutor

MODEL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "claim_protocol.pml")

# What is checked whole, and how many states that must be at the least: a model that has become empty is no proof.
SIZES = [
    ({"CLAIMANTS": 2, "WORDS": 3, "ROUNDS": 3, "OTHERS": 2, "BURST": 1}, 2_000_000),
    ({"CLAIMANTS": 3, "WORDS": 2, "ROUNDS": 2, "OTHERS": 1, "BURST": 2}, 5_000_000),
    ({"CLAIMANTS": 3, "WORDS": 3, "ROUNDS": 1, "OTHERS": 0, "BURST": 2}, 1_500_000),
]

TWO = {"CLAIMANTS": 2, "WORDS": 3, "ROUNDS": 2, "OTHERS": 1, "BURST": 1}
THREE = {"CLAIMANTS": 3, "WORDS": 2, "ROUNDS": 2, "OTHERS": 1, "BURST": 2}
# The breaks, each with a size at which it shows.
BREAKS = {
    "NO_LOOK": TWO,  # finalises without looking at the other words
    "IGNORES_MEMBERS": TWO,  # goes on where the look finds a member
    "NO_YIELD": TWO,  # does not withdraw before a claim of higher priority
    "NO_KILL": TWO,  # leaves a claim of lower priority alone
    "NO_LOOK_AGAIN": TWO,  # goes on where the claim to be killed has changed
    "ANONYMOUS": THREE,  # all claims look the same
    "CLAIM_STORES": TWO,  # from here on: a store in place of the compare-and-swap
    "KILL_STORES": TWO,
    "FINALISE_STORES": TWO,
    "WITHDRAW_STORES": TWO,
    "SWEEP_STORES": TWO,
    "CHARGE_STORES": THREE,
    "ADMITS_BY_CLAIM": TWO,  # gives its verdict before the claim is final
}


def run(command, folder):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    output = done.stdout + done.stderr
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(command)} ended with {done.returncode}:\n{output}")
    return output


def check(size, broken=None):
    """What spin's checker says of the model at this size, with one break or none."""
    defines = [f"-D{name}={value}" for name, value in size.items()] + ([f"-D{broken}"] if broken else [])
    with tempfile.TemporaryDirectory() as folder:
        run(["spin", *defines, "-a", MODEL], folder)
        # The memory stays within one gigabyte; a search that would need more says that it is not complete.
        run(["gcc", "-O1" if broken else "-O2", "-w", "-DSAFETY", "-DMEMLIM=1000", "-o", "pan", "pan.c"], folder)
        return " ".join(["spin", *defines, "-a", MODEL]), run(["./pan", "-m10000"], folder)


class ClaimProtocol(unittest.TestCase):
    def test_holds_in_every_interleaving(self):
        unreached = []
        with ThreadPoolExecutor(2) as pool:
            for (size, least), (command, output) in zip(SIZES, pool.map(lambda size: check(size[0]), SIZES)):
                with self.subTest(size):
                    self.assertIn("errors: 0", output, f"see it by: {command} && gcc -o pan pan.c && ./pan && spin -t -p {MODEL}")
                    for unfinished in ("Search not completed", "max search depth too small", "reached -DMEMLIM"):
                        self.assertNotIn(unfinished, output)
                    states = int(re.search(r"(\d+) states, stored", output)[1])
                    print(size, f"{states} states", file=sys.stderr)
                    self.assertGreater(states, least)
                    unreached.append(set(re.findall(r"claim_protocol\.pml:(\d+), state", output)))
        self.assertEqual(set.intersection(*unreached), set(), "lines that no run has come to")

    def test_every_break_is_found_out(self):
        with ThreadPoolExecutor(2) as pool:
            for broken, (_, output) in zip(BREAKS, pool.map(lambda name: check(BREAKS[name], name), BREAKS)):
                with self.subTest(broken):
                    self.assertIn("errors: 1", output)
                    self.assertIn("assertion violated", output)


if __name__ == "__main__":
    unittest.main()
