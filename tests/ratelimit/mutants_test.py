"""Breaks ratelimit/ in each way of tests/data/ratelimit/mutants.toml, and demands that the test named there fails.

Argument: the compiler, with what is to stand before it (ccache). The environment's SEKISHO_MUTANTS_FOLDER is where the copies are
kept, so that a second run finds them compiled; SEKISHO_MUTANT runs the mutants whose names hold its text alone.
"""

import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
COMPILER = sys.argv[1:]
FOLDER = os.environ["SEKISHO_MUTANTS_FOLDER"]
FLAGS = ["-std=c++20", "-O1", "-g0", "-w", "-pthread", "-I.", f"-I{ROOT}", f'-DSEKISHO_SOURCE_DIR="{ROOT}"']
LIBRARIES = ["-lgmock", "-lgtest_main", "-lgtest", "-ldl"]
INCLUDE = re.compile(r'^#include "((?:ratelimit|tests)/[^"]+)"', re.MULTILINE)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def included(path, found):
    """The files of ours that `path` includes, and those that they do, as paths from the root."""
    for name in INCLUDE.findall(read(os.path.join(ROOT, path))):
        if name not in found:
            found.add(name)
            included(name, found)
    return found


def sources(test):
    """The files of ratelimit/ that a test must be linked with: those whose headers it comes to, and whose headers they come to."""
    needed, headers = set(), included(test, set())
    while True:
        more = {name[:-4] + ".cpp" for name in headers if name.startswith("ratelimit/")} - needed
        more = {name for name in more if os.path.exists(os.path.join(ROOT, name))}
        if not more:
            return sorted(needed)
        needed |= more
        for name in more:
            included(name, headers)


def run(command, folder, limit):
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=limit, errors="replace")


def compiled(source, folder):
    """The object of one file, which is compiled in a folder of its own name, so that ccache knows it again."""
    target = os.path.join(folder, os.path.relpath(os.path.join(ROOT, source), ROOT).replace("/", "_") + ".o")
    done = run([*COMPILER, *FLAGS, "-c", source, "-o", target], folder, 300)
    if done.returncode != 0:
        raise AssertionError(f"{source} does not compile:\n{done.stderr}")
    return target


def build(folder, test, changed, whole):
    """The test's binary: what the change reaches is compiled in `folder`, the rest comes from the unbroken copy."""
    test_file = os.path.join(ROOT, f"tests/ratelimit/{test}_test.cpp")
    objects = []
    for source in [test_file, *sources(f"tests/ratelimit/{test}_test.cpp")]:
        relative = os.path.relpath(source, ROOT) if os.path.isabs(source) else source
        in_whole = os.path.join(whole, relative.replace("/", "_") + ".o")
        if changed is None:
            reached = not os.path.exists(in_whole)
        else:
            reached = relative == changed or changed in included(relative, set())
        objects.append(compiled(source, folder) if reached else in_whole)
    binary = os.path.join(folder, test)
    done = run([COMPILER[-1], "-pthread", *objects, "-o", binary, *LIBRARIES], folder, 300)
    if done.returncode != 0:
        raise AssertionError(f"{test} does not link:\n{done.stderr}")
    return binary


def copy(name):
    folder = os.path.join(FOLDER, re.sub(r"\W+", "_", name))
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(os.path.join(ROOT, "ratelimit"), os.path.join(folder, "ratelimit"))
    return folder


def verdict(binary, test_filter):
    """The test's run; TimeoutExpired where it hangs."""
    command = [binary, "--gtest_brief=1", "--gtest_fail_fast", f"--gtest_filter={test_filter}"]
    done = run(command, os.path.dirname(binary), 300)
    if re.search(r"\b0 tests from", done.stdout):
        raise AssertionError(f"no test is named {test_filter}")
    return done


def check_whole(test, test_filter, whole):
    done = verdict(build(whole, test, None, whole), test_filter)
    assert done.returncode == 0, f"fails on the unbroken copy:\n{done.stdout}{done.stderr}"


def check_mutant(mutant, whole):
    folder, changed = copy(mutant["name"]), "ratelimit/" + mutant["file"]
    text = read(os.path.join(folder, changed))
    assert text.count(mutant["old"]) == 1, f"{changed} holds the old text {text.count(mutant['old'])} times: {mutant['old']}"
    with open(os.path.join(folder, changed), "w", encoding="utf-8") as file:
        file.write(text.replace(mutant["old"], mutant["new"]))
    try:
        noticed = verdict(build(folder, mutant["test"], changed, whole), mutant.get("filter", "*")).returncode != 0
    except subprocess.TimeoutExpired:
        noticed = True  # a test that hangs is a row that fails
    shutil.rmtree(folder)
    assert noticed, f"{mutant['test']}_test does not notice"


def attempt(name, work, *arguments):
    begun = time.monotonic()
    try:
        work(*arguments)
        problem = None
    except (AssertionError, subprocess.TimeoutExpired) as failed:
        problem = str(failed)
    print(f"{'ok  ' if problem is None else 'FAIL'} {time.monotonic() - begun:5.1f} s  {name}" + (f": {problem}" if problem else ""), flush=True)
    return problem is None


def main():
    with open(os.path.join(ROOT, "tests/data/ratelimit/mutants.toml"), "rb") as file:
        mutants = tomllib.load(file)["mutant"]
    mutants = [mutant for mutant in mutants if os.environ.get("SEKISHO_MUTANT", "") in mutant["name"]]
    assert len({mutant["name"] for mutant in mutants}) == len(mutants) > 0
    filters = {}
    for mutant in mutants:
        filters.setdefault(mutant["test"], set()).add(mutant.get("filter", "*"))
    whole = copy("whole")
    # The unbroken copy first, and its library before the tests that share it: these objects serve the others.
    library = sorted({source for test in filters for source in sources(f"tests/ratelimit/{test}_test.cpp")})
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda source: compiled(source, whole), library))
        passed = list(pool.map(lambda test: attempt(f"unbroken: {test}", check_whole, test, ":".join(sorted(filters[test])), whole), filters))
        passed += pool.map(lambda mutant: attempt(mutant["name"], check_mutant, mutant, whole), mutants)
    print(f"{passed.count(True)} of {len(passed)}")
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
