# Shared by scripts/run and scripts/test: installs the packages that are missing and builds. Sourced by bash from anywhere.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '\033[1m==> %s\033[0m\n' "$*" >&2; }
fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}
bad_usage() {
  printf 'error: %s\n' "$*" >&2
  exit 2
}
# Ctrl-C while packages are installed or the build runs: what it interrupted has said so already.
trap 'trap - INT; kill -INT $$' INT

# install_packages KIND...: what scripts/packages.txt lists for these kinds, where it is not there yet.
install_packages() {
  local kinds=" $* " kind package missing=() sudo=()
  local installed
  installed=" $(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' | awk '$1 == "ii" { printf "%s ", $2 }')"
  while read -r kind package; do
    case "$kind" in '' | '#'*) continue ;; esac
    if [[ $kinds == *" $kind "* && $installed != *" $package "* ]]; then
      missing+=("$package")
    fi
  done <"$root/scripts/packages.txt"
  ((${#missing[@]})) || return 0

  if (($(id -u) != 0)); then
    command -v sudo >/dev/null || fail "these packages are missing, and there is no sudo to install them with: ${missing[*]}"
    sudo=(sudo)
  fi
  say "installing ${missing[*]}"
  local apt=("${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300)
  "${apt[@]}" update >&2 || fail "apt-get update failed"
  "${apt[@]}" install -y --no-install-recommends "${missing[@]}" >&2 || fail "apt-get could not install ${missing[*]}"
}

# build PRESET [TARGET...]: configures where that was not done, and builds into build/PRESET.
build() {
  local preset=$1 folder=$root/build/$1
  shift
  cd "$root" || return
  local tests=${SEKISHO_BUILD_TESTS:-OFF}
  # A folder configured with tests keeps them: scripts/run after scripts/test must not configure everything anew.
  if [[ ! -f $folder/build.ninja ]] || { [[ $tests == ON ]] && ! grep -q '^SEKISHO_TESTS:BOOL=ON' "$folder/CMakeCache.txt"; }; then
    say "configuring $preset"
    cmake --preset "$preset" -DSEKISHO_TESTS="$tests" >&2 || fail "cmake could not configure the preset $preset"
  fi
  say "building $preset"
  cmake --build --preset "$preset" ${1:+--target "$@"} >&2 || fail "the build of $preset failed"
}

# free_port: a loopback port that nobody listens on.
free_port() {
  /usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# why_not_listen ADDRESS PORT: why nobody can listen there now; nothing where one can.
why_not_listen() {
  /usr/bin/python3 - "$@" <<'PYTHON'
import socket, sys

with socket.socket() as listener:
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((sys.argv[1], int(sys.argv[2])))
        listener.listen()
    except OSError as problem:
        print(problem.strerror.lower())
PYTHON
}

# answers ADDRESS: whether HOST:PORT or unix:/PATH takes a connection, within two seconds.
answers() {
  timeout 2 /usr/bin/python3 - "$1" 2>/dev/null <<'PYTHON'
import socket, sys

kind, _, path = sys.argv[1].partition(":")
if kind == "unix":
    socket.socket(socket.AF_UNIX).connect(path)
else:
    host, _, port = sys.argv[1].rpartition(":")
    socket.create_connection((host.strip("[]"), int(port)))
PYTHON
}
