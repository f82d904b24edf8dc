#!/usr/bin/env bash
# Headless Chromium against our examples, on each runtime. Installs what it needs.
# usage: run.sh [--runtime tokio|smol|std|all]    needs Node 20 with npm; PROGRAMS overrides the folder
#                                                 of the examples, which are built if it is not set
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)

if [ ! -x /usr/bin/chromium ]; then
  [ "$(id -u)" = 0 ] || { echo 'browser: /usr/bin/chromium is missing: apt-get install chromium' >&2; exit 1; }
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends chromium
fi
if ! node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' || ! command -v npm >/dev/null; then
  echo 'browser: Node 20 or later is needed, with npm' >&2
  exit 1
fi
(cd "$here" && npm ci --silent --no-audit --no-fund --ignore-scripts)

if [ -z "${PROGRAMS:-}" ]; then
  cargo build --quiet --release --manifest-path "$root/Cargo.toml" -p sinew-examples \
    --example chat --example ticker --example conformance
  PROGRAMS=${CARGO_TARGET_DIR:-$root/target}/release/examples
fi
timeout --foreground --kill-after=10 600 node "$here/browser.mjs" --programs "$PROGRAMS" "$@"
