"""Checks that every C++ file is as clang-format 14 (Debian 12's) writes it. Argument: the program's path."""

import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDERS = ["ratelimit", "config", "proxy", "main", "bench", "tests"]


def sources():
    for folder in FOLDERS:
        for path, _, names in os.walk(os.path.join(ROOT, folder)):
            yield from (os.path.join(path, name) for name in sorted(names) if name.endswith((".hpp", ".cpp")))


def main():
    files = list(sources())
    done = subprocess.run([sys.argv[1], "--dry-run", "--Werror", *files], cwd=ROOT, capture_output=True, text=True, check=False)
    bad = sorted({line.split(":")[0] for line in done.stderr.splitlines() if "error:" in line})
    print(f"{len(files)} files, {len(bad)} not formatted")
    if bad:
        print("\n".join(os.path.relpath(path, ROOT) for path in bad))
        print("run: clang-format -i", " ".join(os.path.relpath(path, ROOT) for path in bad))
    elif done.returncode != 0:
        print(done.stderr)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
