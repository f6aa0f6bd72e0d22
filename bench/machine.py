"""What a figure comes from: the machine, its processors and the commit."""

import datetime
import os
import pathlib
import platform
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent


def first_line(path, prefix=""):
    try:
        with open(path, encoding="utf-8") as file:
            return next((line.strip() for line in file if line.startswith(prefix)), "unknown")
    except OSError:
        return "unknown"


def machine():
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "cpu": first_line("/proc/cpuinfo", "model name").partition(":")[2].strip() or platform.machine(),
        "cpus": len(os.sched_getaffinity(0)),
        "caches": caches(),
        "memory": first_line("/proc/meminfo", "MemTotal").partition(":")[2].strip(),
        "kernel": platform.release(),
        "commit": commit(),
        "load_before": os.getloadavg()[0],
    }


def commit():
    """Of the source tree; installed tools have none, and lie in no repository of another's."""
    if not (ROOT / ".git").exists():
        return "unknown"
    try:
        command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def caches():
    found = []
    for index in sorted(pathlib.Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        kind = first_line(index / "type")
        if kind != "Instruction":
            found.append(f"L{first_line(index / 'level')} {first_line(index / 'size')}")
    return ", ".join(found) or "unknown"
