"""Several workers in front of a puma of five threads must not cost throughput: puma's threads wait on idle connections."""

import statistics
import unittest

from support.http_client import fetch
from support.load import throughput
from support.sekisho import Puma, Sekisho

SECONDS = 2.0
ROUNDS = 3


class WorkersTest(unittest.TestCase):
    def test_four_workers_reach_what_one_does(self):
        puma = self.enterContext(Puma(threads=5))
        one = self.enterContext(Sekisho(puma.upstream, "log: {access: off}\n", workers=1)).wait_upstream()
        four = self.enterContext(Sekisho(puma.upstream, "log: {access: off}\n", workers=4)).wait_upstream()
        for sekisho in (one, four):
            self.assertEqual(fetch(sekisho.address, "/up").status, 200)
        figures = {1: [], 4: []}
        for _ in range(ROUNDS):
            for workers, sekisho in ((1, one), (4, four)):
                figures[workers].append(throughput(sekisho.address, SECONDS, target="/up"))
                # What the other left idle at puma would hold its threads.
                fetch(sekisho.address, "/up")
        single, several = statistics.median(figures[1]), statistics.median(figures[4])
        print(f"one worker {single:.0f} requests/s, four {several:.0f}: {100 * several / single:.0f} %")
        self.assertGreaterEqual(several, 0.8 * single, figures)


if __name__ == "__main__":
    unittest.main(verbosity=2)
