#!/usr/bin/python3
"""Draws what bench/compare measured: DIR/compare.json to compare_ratio.svg, compare_cells.svg and compare_flood.svg in the same DIR.

Usage: bench/plot_compare.py [DIR]      DIR: docs/benchmarks by default. Needs Debian's python3-matplotlib.
"""

import json
import pathlib
import statistics
import sys

from compare_parts import cells, flood
from plot_svg import plt

COLOURS = {"floor": "#bbbbbb", "nginx": "#16a085", "haproxy": "#2980b9", "no proxy": "#bbbbbb"}
OURS = ["#c0392b", "#e67e22", "#8e44ad", "#7f8c8d"]


def colour(name, names):
    kind = name.partition(",")[0]
    return COLOURS.get(kind) or OURS[names.index(kind) % len(OURS)]


def caption(figure, machine):
    figure.text(0.01, 0.003, f"{machine['cpu']}, {machine['cpus']} processors, Linux {machine['kernel']}, {machine['date']}, commit {machine['commit']}",
                fontsize=8)


def save(figure, folder, name):
    figure.savefig(folder / name, metadata={"Date": None})
    plt.close(figure)


def draw_ratios(machine, found, names, results, folder):
    """Processor time a request to bare nginx's: medians, whiskers the least and the most of the rounds, and what the design asks for."""
    figure, panel = plt.subplots(figsize=(11, 0.3 * sum(len(results[cell.key]["contenders"]) + 1 for cell, _ in found) + 1.2))
    place, ticks = 0, []
    for cell, runs in found:
        order = results[cell.key]["contenders"]
        for name in order:
            values = cells.ratios(runs, name)
            middle = statistics.median(values)
            panel.barh(place, middle, 0.8, color=colour(name, names), xerr=[[middle - min(values)], [max(values) - middle]],
                       hatch="//" if "tuned" in name else None, edgecolor="white", error_kw={"elinewidth": 0.8})
            if cell.target and not cell.per_gb and name.partition(",")[0] in names:
                panel.plot([cell.target] * 2, [place - 0.45, place + 0.45], color="black", linewidth=1.5)
            ticks.append((place, name))
            place += 1
        panel.text(0, place - len(order) - 0.75, results[cell.key]["title"], fontsize=8, fontweight="bold", va="center")
        place += 1
    panel.axvline(1, color="black", linewidth=0.6)
    panel.set_yticks([at for at, _ in ticks], [name for _, name in ticks], fontsize=8)
    panel.set_xlim(0)
    panel.invert_yaxis()
    panel.set_xlabel("processor time a request, bare nginx = 1; strokes: what the design asks of Sekisho at most")
    panel.grid(axis="x", alpha=0.25)
    caption(figure, machine)
    figure.tight_layout(rect=(0, 0.01, 1, 1))
    save(figure, folder, "compare_ratio.svg")


def draw_cells(machine, found, names, results, folder):
    """One row a cell: requests/s, processor time, system calls, latencies and memory of each."""
    heads = ["requests/s", "CPU us/request", "system calls/request", "p50, p99, p99.9 ms", "memory, MB"]
    figure, panels = plt.subplots(len(found), len(heads), figsize=(20, 1.9 * len(found) + 0.6), squeeze=False)
    for row, (cell, runs) in zip(panels, found):
        order = results[cell.key]["contenders"]
        colours = [colour(name, names) for name in order]
        calls = results[cell.key]["system_calls"]
        columns = [[cells.median_of(runs, name, "requests_per_s") for name in order],
                   [cells.median_of(runs, name, "cpu_us_per_request") for name in order], [calls.get(name) or 0 for name in order], None,
                   [cells.median_of(runs, name, "memory_kib") / 1024 for name in order]]
        for panel, head, values in zip(row, heads, columns):
            if values is None:
                paced = results[cell.key]["paced_runs"]
                head += f", open loop at {results[cell.key]['paced_rate']:,}/s" if paced else ", closed loop"
                for what, marker in (("p50", "o"), ("p99", "|"), ("p99.9", "x")):
                    panel.scatter([cells.median_of(paced or runs, name, what) for name in order], range(len(order)), c=colours, marker=marker, s=25)
                panel.set_xscale("log")
            else:
                panel.barh(range(len(order)), values, color=colours)
            panel.set_title(head, fontsize=8)
            panel.tick_params(labelsize=7)
            panel.set_yticks(range(len(order)), order if panel is row[0] else [""] * len(order))
            panel.invert_yaxis()
            panel.grid(axis="x", alpha=0.25)
        row[0].set_title("")
        row[0].set_title(f"{results[cell.key]['title']}: requests/s", fontsize=8, fontweight="bold", loc="left")
    caption(figure, machine)
    figure.tight_layout(rect=(0, 0.005, 1, 1))
    save(figure, folder, "compare_cells.svg")


def draw_floods(machine, found, names, results, folder):
    """What the good clients waited, and how many of them were served."""
    figure, panels = plt.subplots(1, len(found), figsize=(6 * len(found), 4), squeeze=False)
    for panel, (one, runs) in zip(panels[0], found):
        order = results[one.key]["contenders"]
        for place, name in enumerate(order):
            mine = [run for run in runs if run["contender"] == name]
            for what, marker in (("p50", "o"), ("p99", "|")) if any(run["served"] for run in mine) else ():
                panel.plot(statistics.median(run["latency_ms"][what] for run in mine if run["served"]), place, marker, color=colour(name, names), markersize=9)
        served = {name: [run for run in runs if run["contender"] == name] for name in order}
        panel.set_yticks(range(len(order)), [f"{name}\n{sum(run['served'] for run in mine):,} of {sum(run['wanted'] for run in mine):,}"
                                             for name, mine in served.items()], fontsize=8)
        panel.set_xscale("log")
        panel.set_xlabel("ms; dots p50, strokes p99")
        panel.set_title(results[one.key]["title"], fontsize=7)
        panel.invert_yaxis()
        panel.grid(axis="x", which="both", alpha=0.25)
    caption(figure, machine)
    figure.tight_layout(rect=(0, 0.03, 1, 1))
    save(figure, folder, "compare_flood.svg")


def main():
    if len(sys.argv) > 2 or "-h" in sys.argv or "--help" in sys.argv:
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parent.parent / "docs/benchmarks"
    report = json.loads((folder / "compare.json").read_text(encoding="utf-8"))
    machine, results = report["machine"], report["cells"]
    names = list(report["findings"]["not_won"])
    measured = [(cell, results[cell.key]["runs"]) for cell in cells.CELLS if cell.key in results]
    floods = [(one, results[one.key]["runs"]) for one in flood.FLOODS if one.key in results]
    if measured:
        draw_ratios(machine, measured, names, results, folder)
        draw_cells(machine, measured, names, results, folder)
    if floods:
        draw_floods(machine, floods, names, results, folder)


if __name__ == "__main__":
    main()
