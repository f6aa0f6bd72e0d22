"""Several workers in front of a puma of five threads must not cost throughput: puma's threads wait on idle connections."""

import statistics
import unittest

from support.http_client import fetch
from support.load import throughput
from support.sekisho import Puma, Sekisho

SECONDS = 2.0
LEAST_ROUNDS = 3
MOST_ROUNDS = 12  # while another load on the machine may be what makes the difference


class WorkersTest(unittest.TestCase):
    def test_four_workers_reach_what_one_does(self):
        puma = self.enterContext(Puma(threads=5))
        one = self.enterContext(Sekisho(puma.upstream, "log: {access: off}\n", workers=1)).wait_upstream()
        four = self.enterContext(Sekisho(puma.upstream, "log: {access: off}\n", workers=4)).wait_upstream()
        for sekisho in (one, four):
            self.assertEqual(fetch(sekisho.address, "/up").status, 200)
        ratios = []
        while len(ratios) < LEAST_ROUNDS or (len(ratios) < MOST_ROUNDS and statistics.median(ratios) < 0.8):
            figures = {}
            for workers, sekisho in ((1, one), (4, four)):
                figures[workers] = throughput(sekisho.address, SECONDS, target="/up")
                # What the other left idle at puma would hold its threads.
                fetch(sekisho.address, "/up")
            print(f"one worker {figures[1]:.0f} requests/s, four {figures[4]:.0f}")
            ratios.append(figures[4] / figures[1])
        self.assertGreaterEqual(statistics.median(ratios), 0.8, ratios)


if __name__ == "__main__":
    unittest.main(verbosity=2)
