"""What was measured, as the tables of compare.md."""

import statistics

from compare_parts import cells, flood, resources

BUSY = 0.9  # of a processor; below, something else than the proxy held the requests up, and requests/s say nothing of it


def number(value, digits=2):
    return "" if value is None else f"{value:,.{digits}f}"


def summary_of(runs, contender, per_gb=False):
    """The figure that a row is judged by."""
    if per_gb:
        return cells.median_of(runs, contender, "cpu_s_per_gb")
    found = cells.ratios(runs, contender)
    return statistics.median(found) if found else None


def cell_row(cell, result, names):
    runs = result["runs"]
    log = cells.suffix(cell)

    def with_tuned(name):
        plain, tuned = summary_of(runs, name + log, cell.per_gb), summary_of(runs, name + ", tuned", cell.per_gb)
        return number(plain, 3) + (f" (tuned {number(tuned, 3)})" if tuned else "")

    ours = {name: summary_of(runs, name + log, cell.per_gb) for name in names}
    return {"title": result["title"], "nginx": with_tuned("nginx"), "haproxy": with_tuned("haproxy"),
            "floor": number(summary_of(runs, "floor", cell.per_gb), 3), "reference": cell.reference,
            "ours": {name: number(value, 3) for name, value in ours.items()},
            "target": f"{cell.target:.2f}" + (" s/GB" if cell.per_gb else ""),
            # As it is shown: nobody shall read that 0.860 is more than 0.86.
            "won": {name: round(value, 3) <= cell.target for name, value in ours.items() if value is not None}}


def flood_median(runs, contender, what):
    """Nobody answered is as long as it gets."""
    return statistics.median(run["latency_ms"][what] if run["served"] else float("inf") for run in runs if run["contender"] == contender)


def flood_row(one, result, names):
    runs = result["runs"]

    def shown(contender):
        mine = [run for run in runs if run["contender"] == contender]
        served, wanted = sum(run["served"] for run in mine), sum(run["wanted"] for run in mine)
        p50, p99 = flood_median(runs, contender, "p50"), flood_median(runs, contender, "p99")
        return f"{p50:.1f} / {p99:.1f} ms, {served:,} of {wanted:,}" if p99 < float("inf") else f"{served:,} of {wanted:,}"

    def won(name):
        mine = [run for run in runs if run["contender"] == name]
        p50, p99 = flood_median(runs, name, "p50"), flood_median(runs, name, "p99")
        best = min(flood_median(runs, other, "p99") for other in ("nginx", "haproxy"))
        if one.key == "flood_pipelined":  # what is due in the last moment cannot be there yet
            return all(run["served"] >= run["wanted"] - 5 and not any(run["errors"].values()) for run in mine)
        return p99 <= best / 2 and (one.key != "flood" or (p50 <= 1.0 and p99 <= 4))

    return {"title": result["title"], "nginx": shown("nginx"), "haproxy": shown("haproxy"), "floor": "no proxy: " + shown("no proxy"),
            "reference": one.reference, "ours": {name: shown(name) for name in names}, "target": one.target,
            "won": {name: won(name) for name in names}}


RESOURCE_ROWS = {
    # key: (title, as Scale.ran fills it in, field, what the design asks for, whether a value is that, what was measured for the design)
    "idle": [("an idle keep-alive connection after one request, of {idle}, KB", "kib_each", "1.5", lambda value: value <= 1.5, "5.0 / 9.4 / 0.13"),
             ("the same, where the requests came one by one and not all at once, KB", "kib_each_in_turn", "", None, ""),
             ("the process with {idle} of them, MB", "mib_in_all", "", None, "")],
    "tracked": [("a tracked client, of {tracked}, bytes a limit", "bytes_each", "16", lambda value: value <= 16, "128 / 210"),
                ("1 M tracked clients, MB", "mib_of_1_million", "", None, ""), ("10 M tracked clients, MB", "mib_of_10_million", "", None, "")],
    "forgotten": [("a blocked client after 40,000 new addresses pass a table sized for 8,000", "verdict", "still refused",
                   lambda value: value == "still refused", "admitted again / admitted again")],
    "reloads": [("requests lost over 3 reloads under {reload} keep-alive requests", "lost", "0", lambda value: value == 0, "10 / 9"),
                ("from the signal to the new file in force, ms", "reload_ms", "", None, ""),
                ("the longest that a request waited meanwhile, ms", "worst_ms", "", None, ""),
                ("the same without reloads, ms", "worst_without_ms", "", None, "")],
    "start_up": [("from the start to the first answer, ms", "ms", "", None, "")],
    "sizes": [("binary, MB", "binary_mib", "", None, ""), ("image: with the libraries that ldd names, MB", "image_mib", "", None, "")],
}


def resource_rows(key, result, names):
    values = result["values"]
    for title, field, target, right, reference in RESOURCE_ROWS[key]:
        if not any(field in value for value in values.values()):
            continue

        def shown(contender, field=field):
            mine = values.get(contender, {})
            value = mine.get(field)
            if value is None or isinstance(value, str):
                return value or ""
            return ("≈ " if field in mine.get("reckoned", ()) else "") + f"{value:,}"

        yield {"title": title.format(**result["ran"]), "nginx": shown("nginx"), "haproxy": shown("haproxy"), "floor": shown("floor"), "reference": reference,
               "ours": {name: shown(name) for name in names}, "target": target,
               "won": {name: right(values[name][field]) for name in names if right and field in values.get(name, {})}}


def rows(results, names):
    """The rows of the first table, in the order of the cells."""
    for cell in cells.CELLS:
        if cell.key in results and cell.target:
            yield cell_row(cell, results[cell.key], names)
    for one in flood.FLOODS:
        if one.key in results:
            yield flood_row(one, results[one.key], names)
    for key in RESOURCE_ROWS:
        if key in results:
            yield from resource_rows(key, results[key], names)


def verdict(row):
    if not row["won"]:
        return ""
    if len(row["won"]) == 1:
        return "won" if all(row["won"].values()) else "**not won**"
    return ", ".join(f"{name}: {'won' if won else '**not won**'}" for name, won in row["won"].items())


def spread(runs, contender):
    found = sorted(cells.ratios(runs, contender))
    return f"{statistics.median(found):.3f} ({found[0]:.3f} to {found[-1]:.3f})"


def latencies(runs, contender):
    return " / ".join(number(cells.median_of(runs, contender, what)) for what in ("p50", "p99", "p99.9"))


def workers_of(cell, contender):
    return cell.workers if "workers" in contender else 1


def busy(cell, runs, contender):
    """The part of its processors that it used."""
    return cells.median_of(runs, contender, "cpus_used") / workers_of(cell, contender)


def held_up(runs, contender):
    """In how many runs the load generator said that it was the bottleneck."""
    said = [run["load"]["bottleneck"] for run in runs if run["contender"] == contender]
    return f"{sum(said)} of {len(said)}"


def cell_table(cell, result):
    runs, paced = result["runs"], result["paced_runs"]
    yield f"### {result['title']}"
    yield ""
    columns = ["", "CPU s/GB" if cell.per_gb else "CPU us/request", "to nginx, median (spread)", "requests/s", "system calls", "memory, MB",
               "the load's CPU us/request", "it was the bottleneck in"]
    # How long a request takes beside others that ask as fast as they are answered is the number of connections by requests/s, and little else.
    columns += [] if paced else ["closed-loop p50 / p99 / p99.9 ms"]
    yield "| " + " | ".join(columns) + " |"
    yield "|" + "---|" * len(columns)
    for name in result["contenders"]:
        cpu = cells.median_of(runs, name, "cpu_s_per_gb" if cell.per_gb else "cpu_us_per_request")
        fields = [name, number(cpu, 3 if cell.per_gb else 2), spread(runs, name),
                  f"{'' if busy(cell, runs, name) >= BUSY else '> '}{cells.median_of(runs, name, 'requests_per_s'):,.0f}",
                  number(result["system_calls"].get(name), 2), number(cells.median_of(runs, name, "memory_kib") / 1024, 1),
                  number(cells.median_of(runs, name, "load_us_per_request")), held_up(runs, name)]
        yield "| " + " | ".join(fields + ([] if paced else [latencies(runs, name)])) + " |"
    if paced:
        yield ""
        yield (f"| open loop, {result['paced_rate']:,}/s | CPU us/request | to nginx, median (spread) | of its processor | served, requests/s | "
               "p50 / p99 / p99.9 ms | the load was the bottleneck in |")
        yield "|---|---|---|---|---|---|---|"
        for name in result["contenders"]:
            yield (f"| {name} | {number(cells.median_of(paced, name, 'cpu_us_per_request'))} | {spread(paced, name)} | {busy(cell, paced, name):.0%} | "
                   f"{cells.median_of(paced, name, 'requests_per_s'):,.0f} | {latencies(paced, name)} | {held_up(paced, name)} |")
    if result["logged"]:
        yield ""
        yield "Requests that are in the log: " + ", ".join(f"{name} {share:.2%}" for name, share in result["logged"].items()) + "."
    yield ""


def workers_lines(results, names):
    """What was measured; how it scales, only where the proxy's processors were what there was not enough of, with one worker and with more."""
    for cell in cells.CELLS:
        if cell.workers > 1 and cell.key in results:
            runs = results[cell.key]["runs"]
            for name in ["nginx", *names]:
                many = f"{name}, {cell.workers} workers"
                rate = statistics.median(cells.ratios(runs, many, "requests_per_s", name))
                cost = statistics.median(cells.ratios(runs, many, baseline=name))
                one_busy, many_busy = busy(cell, runs, name), busy(cell, runs, many)
                full = min(one_busy, many_busy) >= BUSY
                yield (f"- {results[cell.key]['title']}: {name} with {cell.workers} workers {rate:.3f} times the requests/s of one, {cost:.3f} times the "
                       f"processor time a request; one used {one_busy:.0%} of its processor, {cell.workers} used {many_busy:.0%} of theirs. "
                       + (f"Both were full: it scales {min(rate, cell.workers):.2f} times." if full else
                          "Not both were full, so this says nothing of how far it scales."))


def flood_lines(results):
    for one in flood.FLOODS:
        if one.key in results:
            result = results[one.key]
            yield f"- {result['title']}: " + ", ".join(f"{name} {held_up(result['runs'], name)}" for name in result["contenders"]) + "."


def findings(results, names):
    """Titles of the rows that are not won, for each binary."""
    found = {name: [] for name in names}
    for row in rows(results, names):
        for name, won in row["won"].items():
            if not won:
                found[name].append(row["title"])
    return found


def text(about, results, names):
    listed = list(rows(results, names))
    lines = [
        "# Sekisho beside nginx and HAProxy",
        "",
        "Written by `bench/compare`; [benchmarks.md](../benchmarks.md) says how to read it.",
        "",
        f"{about['cpu']}, {about['cpus']} processors, {about['caches']}, {about['memory']}; Linux {about['kernel']}; {about['date']}; commit "
        f"{about['commit']}; `{about['command']}`, {about['took_seconds']} s; load before: {about['load_before']:.2f}. "
        + "; ".join(f"{name}: {version}" for name, version in about["versions"].items()) + ".",
        "",
        "Where nothing else is said: processor time a request of the proxy's processes, to nginx's in the same round, which writes no log but where all "
        "are as deployed; the median of the rounds. *≈* is reckoned from what fewer took. *At most* is what the design asks of Sekisho; *design* is what was measured of nginx, HAProxy and the floor when it was written.",
        "",
        "| work | nginx | HAProxy | floor | " + " | ".join(names) + " | at most | | design |",
        "|---|---|---|---|" + "---|" * (len(names) + 3),
    ]
    for row in listed:
        ours = " | ".join(row["ours"].get(name, "") for name in names)
        lines.append(f"| {row['title']} | {row['nginx']} | {row['haproxy']} | {row['floor']} | {ours} | {row['target']} | {verdict(row)} | "
                     f"{row['reference']} |")
    lines += ["", "Not won:", ""]
    for name, titles in findings(results, names).items():
        lines += [f"- {name}: " + ("nothing." if not titles else "; ".join(titles) + ".")]
    scaling = list(workers_lines(results, names))
    if scaling:
        lines += ["", "Two workers:", "", *scaling]
    floods = list(flood_lines(results))
    if floods:
        lines += ["", "Runs in which the good clients' generator was itself the bottleneck:", "", *floods]
    lines += ["", "## Every cell", "",
              "*> N requests/s*: the proxy had less than nine tenths of its processor to do; the load and the upstream, which share the other, held "
              "the requests up. *It was the bottleneck in* so many runs, as sekisho-load itself says (compare.json has its reasons). Memory is "
              "resident, shared pages counted once.", ""]
    for cell in cells.CELLS:
        if cell.key in results:
            lines += cell_table(cell, results[cell.key])
    return "\n".join(lines).rstrip() + "\n"
