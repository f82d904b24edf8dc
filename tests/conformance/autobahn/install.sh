#!/usr/bin/env bash
# Finds Python 2.7, installs the Autobahn testsuite for it into the user's cache, once, and prints
# the interpreter and the folder of the packages, a line each. Nothing is written to the repository.
set -euo pipefail
cd "$(dirname "$0")"

# A shim on PATH may exist and still not run, so each candidate has to say its version.
is_python27() { [ "$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)" = 2.7 ]; }

find_python27() {
  local candidate
  for candidate in "${PY27:-}" python2.7 "$HOME"/.pyenv/versions/2.7.*/bin/python2.7; do
    if [ -n "$candidate" ] && is_python27 "$candidate"; then
      command -v "$candidate"
      return
    fi
  done
  # Debian has the package up to its release 11. Later ones have no Python 2 at all.
  if [ "$(id -u)" = 0 ] && apt-cache show python2.7 >/dev/null 2>&1; then
    apt-get install -y -qq --no-install-recommends python2.7 python-pip >&2 && is_python27 python2.7 \
      && command -v python2.7 && return
  fi
  return 1
}

if ! python=$(find_python27); then
  cat >&2 <<'MESSAGE'
autobahn: no Python 2.7, and the testsuite runs on nothing newer. One of these helps:
  PY27=/path/to/python2.7      an interpreter that is already there, with pip
  pyenv install 2.7.18         builds one from source, found without being made the default
  apt-get install python2.7    Debian up to release 11
MESSAGE
  exit 1
fi
if ! "$python" -m pip --version >/dev/null 2>&1; then
  echo "autobahn: $python has no pip" >&2
  exit 1
fi

version=$("$python" -c 'import platform; print(platform.python_version() + "-" + platform.machine())')
site="${XDG_CACHE_HOME:-$HOME/.cache}/sinew/autobahn-$version-$(sha256sum requirements.txt | cut -c1-16)"
if [ ! -d "$site" ]; then
  echo "autobahn: installing the testsuite into $site" >&2
  mkdir -p "$(dirname "$site")"
  # Built next to its place and renamed, so that an interrupted installation leaves nothing half-done.
  partial=$(mktemp -d "$site.XXXXXX")
  trap 'rm -rf "$partial"' EXIT
  "$python" -W ignore -m pip install --quiet --disable-pip-version-check --no-deps \
    --target "$partial" --requirement requirements.txt 2>&1 | grep -v '^DEPRECATION' >&2 || true
  if ! "$python" -W ignore suite.py "$partial" list >/dev/null; then
    echo 'autobahn: the installation failed' >&2
    exit 1
  fi
  mv -T "$partial" "$site" 2>/dev/null || [ -d "$site" ]  # Another run may have been first.
fi
printf '%s\n%s\n' "$python" "$site"
