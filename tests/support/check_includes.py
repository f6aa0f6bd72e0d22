"""Checks what each folder includes against the layers of docs/layout.md: the headers of Boost, RE2 and yaml-cpp all lie in one place, so
that linking alone does not hold the line.

Prints every include that a folder may not have as FILE:LINE: message, and exits 1 where there is one.
"""

import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')

# Standard headers have neither a slash nor a dot; these are what else a folder may include.
ALLOWED = {
    "ratelimit": ["ratelimit/", "sys/mman.h", "unistd.h", "emmintrin.h", "arm_neon.h"],
    "config": ["ratelimit/", "config/", "yaml-cpp/", "fmt/", "arpa/inet.h", "netinet/in.h", "sys/un.h", "unistd.h"],
    "proxy/policy": ["ratelimit/", "config/", "proxy/policy/", "re2/", "fmt/", "nlohmann/", "arpa/inet.h", "netinet/in.h"],
    "proxy": ["ratelimit/", "config/", "proxy/", "boost/", "openssl/", "prometheus/", "spdlog/", "fmt/", "nlohmann/", "emmintrin.h", "linux/filter.h", "malloc.h", "POSIX"],
    "main": ["ratelimit/", "config/", "proxy/", "main/", "CLI/", "fmt/", "nlohmann/", "spdlog/", "boost/", "POSIX"],
}
# What a folder may not have although the list above would let it.
DENIED = {
    # Value types alone: the limiter's tables are the business of policy.
    "config": ["ratelimit/buckets.hpp", "ratelimit/table.hpp"],
}
POSIX = re.compile(r"(arpa|net|netinet|sys)/\w+\.h|(fcntl|netdb|poll|pthread|sched|signal|unistd|dirent|limits|errno|time)\.h")
STANDARD = re.compile(r"[a-z_0-9]+")


def allowed(folder, name):
    if any(name.startswith(prefix) for prefix in DENIED.get(folder, [])):
        return False
    if STANDARD.fullmatch(name):
        return True
    prefixes = ALLOWED[folder]
    if "POSIX" in prefixes and POSIX.fullmatch(name):
        return True
    return any(name == prefix or (prefix.endswith("/") and name.startswith(prefix)) for prefix in prefixes)


def problems(folder, path, text):
    """What is wrong with the includes of one file, as lines to print."""
    for number, line in enumerate(text.splitlines(), 1):
        found = INCLUDE.match(line)
        if not found:
            continue
        quote, name = found.groups()
        ours = name.split("/")[0] in ("ratelimit", "config", "proxy", "main", "bench", "tests")
        if not allowed(folder, name):
            yield f"{path}:{number}: {folder} may not include {name}"
        elif ours != (quote == '"'):
            right = f'"{name}"' if ours else f"<{name}>"
            yield f"{path}:{number}: write {right}"


def check_tree(root):
    """All problems below root, and the number of files read."""
    found, count = [], 0
    for folder in ALLOWED:
        for name in sorted(os.listdir(os.path.join(root, folder))):
            if name.endswith((".hpp", ".cpp")):
                path = f"{folder}/{name}"
                with open(os.path.join(root, path), encoding="utf-8") as file:
                    found += problems(folder, path, file.read())
                count += 1
    return found, count


def check_itself():
    """The check can fail: what must be refused is, and what must pass does."""
    refused = [("ratelimit", "<fmt/format.h>"), ("ratelimit", '"config/config.hpp"'), ("config", '"proxy/server.hpp"'),
               ("config", "<boost/asio.hpp>"), ("proxy/policy", "<boost/asio.hpp>"), ("proxy/policy", '"proxy/stream.hpp"'),
               ("proxy/policy", "<sys/socket.h>"), ("proxy", "<yaml-cpp/yaml.h>"), ("proxy", '"main/main.hpp"'), ("proxy", "<re2/re2.h>"),
               ("ratelimit", "<ratelimit/key.hpp>"), ("proxy", "<hiredis/hiredis.h>")]
    passing = [("ratelimit", "<atomic>"), ("config", "<yaml-cpp/mark.h>"), ("proxy/policy", "<re2/re2.h>"), ("proxy", "<boost/asio.hpp>"),
               ("proxy", "<sys/socket.h>"), ("proxy", '"proxy/policy/engine.hpp"')]
    for folder, name in refused:
        assert list(problems(folder, "x.cpp", f"#include {name}")), (folder, name)
    for folder, name in passing:
        assert not list(problems(folder, "x.cpp", f"#include {name}")), (folder, name)


if __name__ == "__main__":
    check_itself()
    lines, files = check_tree(ROOT)
    print("\n".join([*lines, f"{files} files, {len(lines)} problems"]))
    sys.exit(1 if lines or not files else 0)
