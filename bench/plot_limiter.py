#!/usr/bin/python3
"""Draws what bench/limiter_table measured: DIR/limiter.json to limiter_time.svg and limiter_ratio.svg in the same DIR.

Usage: bench/plot_limiter.py [DIR]      DIR: docs/benchmarks by default. Needs Debian's python3-matplotlib.
"""

import json
import pathlib
import sys

from plot_svg import plt

CONTENDERS = ["mutexed_map", "sharded_map", "tbb_map", "locked_tree"]
COLOURS = {"floor": "#bbbbbb", "limiter": "#c0392b", "mutexed_map": "#34495e", "sharded_map": "#2980b9", "tbb_map": "#16a085", "locked_tree": "#8e7cc3"}
TRAFFIC = ["uniform", "zipf", "single"]
KINDS = [("admitted", 1), ("admitted", 2), ("refused", 1), ("refused", 2)]


def load(folder):
    report = json.loads((folder / "limiter.json").read_text(encoding="utf-8"))
    cells = {(cell["limiter"], cell["clients"], cell["traffic"], cell["verdict"], cell["threads"]): cell["ns"] for cell in report["cells"]}
    return report["machine"], cells


def typical(times, threads):
    """As bench/limiter_table has it."""
    return sorted(times)[len(times) // (4 if threads == 1 else 2)]


def caption(machine):
    return f"{machine['cpu']}, {machine['cpus']} processors, Linux {machine['kernel']}, {machine['compiler']}, {machine['date']}"


def save(figure, folder, name):
    figure.savefig(folder / name, metadata={"Date": None})
    plt.close(figure)


def draw_times(machine, cells, folder):
    """One panel for each number of clients and traffic; bars are what the table has, whiskers the fastest repetition and the third quartile."""
    sizes = sorted({key[1] for key in cells})
    limiters = ["floor", "limiter", *CONTENDERS]
    figure, panels = plt.subplots(len(sizes), len(TRAFFIC), figsize=(15, 4 * len(sizes)), sharey="row", squeeze=False)
    for row, size in zip(panels, sizes):
        for panel, traffic in zip(row, TRAFFIC):
            for place, limiter in enumerate(limiters):
                found = [cells[(limiter, size, traffic, *kind)] for kind in KINDS]
                middle = [typical(ns, threads) for ns, (_, threads) in zip(found, KINDS)]
                spread = [[at - min(ns) for at, ns in zip(middle, found)], [sorted(ns)[len(ns) * 3 // 4] - at for at, ns in zip(middle, found)]]
                where = [group + (place - 2.5) * 0.14 for group in range(len(KINDS))]
                panel.bar(where, middle, 0.13, yerr=spread, color=COLOURS[limiter], label=limiter, error_kw={"elinewidth": 0.7})
            panel.set_yscale("log")
            panel.set_title(f"{size:,} clients, {traffic}")
            panel.set_xticks(range(len(KINDS)), [f"{verdict}\n{threads} thread{'s' if threads > 1 else ''}" for verdict, threads in KINDS])
            panel.grid(axis="y", which="both", alpha=0.25)
        row[0].set_ylabel("ns of wall time a decision")
    figure.legend(*panels[0][0].get_legend_handles_labels(), loc="upper center", ncol=len(limiters))
    figure.text(0.01, 0.005, caption(machine), fontsize=8)
    figure.tight_layout(rect=(0, 0.015, 1, 0.96))
    save(figure, folder, "limiter_time.svg")


def draw_ratios(machine, cells, folder):
    """The limiter's time as a part of the fastest other's, and of the floor's on the same lines, for each cell."""
    names = sorted({key[1:] for key in cells if key[0] == "limiter"}, key=lambda key: (key[0], TRAFFIC.index(key[1]), key[2], key[3]), reverse=True)
    usual = {key: typical(ns, key[-1]) for key, ns in cells.items()}
    figure, panel = plt.subplots(figsize=(10, 0.24 * len(names) + 1.6))
    for place, name in enumerate(names):
        ours = usual[("limiter", *name)]
        panel.plot(ours / min(usual[(other, *name)] for other in CONTENDERS), place, "o", color=COLOURS["limiter"])
        panel.plot(ours / usual[("floor", *name)], place, "|", color="#555555", markersize=10)
    panel.axvline(1, color="black", linewidth=0.8)
    panel.set_yticks(range(len(names)), [f"{size:,} {traffic} {verdict} {threads}" for size, traffic, verdict, threads in names], fontsize=8)
    panel.set_xlabel("limiter's time to the fastest other's (dots: left of 1 is faster) and to that of a floor on the same lines (bars)")
    panel.grid(axis="x", alpha=0.25)
    figure.text(0.01, 0.005, caption(machine), fontsize=8)
    figure.tight_layout(rect=(0, 0.02, 1, 1))
    save(figure, folder, "limiter_ratio.svg")


def main():
    if len(sys.argv) > 2 or "-h" in sys.argv or "--help" in sys.argv:
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parent.parent / "docs/benchmarks"
    machine, cells = load(folder)
    draw_times(machine, cells, folder)
    draw_ratios(machine, cells, folder)


if __name__ == "__main__":
    main()
