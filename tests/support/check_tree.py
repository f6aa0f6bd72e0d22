"""Checks the whole tree: no file of more than 450 lines, no note of work left undone, no path of one developer's machine."""

import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MOST_LINES = 450
SKIPPED_FOLDERS = {".git", "build", "__pycache__", "data", "corpus"}
# Written in pieces, or this file would find itself.
UNDONE = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "X" + "XX"]) + r")\b")
MACHINE = re.compile(r"(?<![\w.])/(" + "|".join(["wo" + "rk", "ro" + "ot"]) + r")/")


def files():
    for folder, names, found in os.walk(ROOT):
        names[:] = sorted(name for name in names if name not in SKIPPED_FOLDERS)
        yield from (os.path.join(folder, name) for name in sorted(found))


def problems(path, text):
    lines = text.splitlines()
    code = path.endswith((".hpp", ".cpp", ".py", ".rb", ".ru", ".cmake", ".txt"))
    if code and len(lines) > MOST_LINES:
        yield f"{path}: {len(lines)} lines; {MOST_LINES} at most"
    for number, line in enumerate(lines, 1):
        if UNDONE.search(line):
            yield f"{path}:{number}: work left undone: {line.strip()}"
        if MACHINE.search(line):
            yield f"{path}:{number}: a path of one machine: {line.strip()}"


def main():
    assert list(problems("a.cpp", "// TO" + "DO: later")) and list(problems("a.cpp", "x\n" * 451)), "the check does not check"
    found, count = [], 0
    for path in files():
        try:
            with open(path, encoding="utf-8") as file:
                text = file.read()
        except (UnicodeDecodeError, FileNotFoundError):
            continue
        count += 1
        found += problems(os.path.relpath(path, ROOT), text)
    print("\n".join([*found, f"{count} files, {len(found)} problems"]))
    return 1 if found or not count else 0


if __name__ == "__main__":
    sys.exit(main())
