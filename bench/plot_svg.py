"""matplotlib as both plots want it: SVG, and the same file for the same figures. Ends with a message where Debian's python3-matplotlib is missing."""

import sys

try:
    import matplotlib
except ImportError:
    sys.exit("no plots: python3-matplotlib is missing (apt-get install python3-matplotlib)")

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "sekisho"
import matplotlib.pyplot as plt  # noqa: E402, F401: the backend comes first
