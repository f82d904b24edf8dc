#!/usr/bin/env bash
# 10,000 idle connections of HTTP on each adapter: at most so much resident memory each. The bounds are for glibc.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
target=${CARGO_TARGET_DIR:-$here/../../target}
ulimit -n 11000
failed=0
declare -A most=([tokio]=1024 [smol]=448 [std]=384)
for runtime in tokio smol std; do
  : >"$target/idle-$runtime.log"
  "$target/release/examples/conformance" --port 0 --runtime "$runtime" >"$target/idle-$runtime.log" &
  pid=$!
  trap 'kill "$pid" 2>/dev/null || true' EXIT
  port=
  for _ in $(seq 100); do
    port=$(sed -n 's/.*:\([0-9]*\) .*/\1/p' "$target/idle-$runtime.log")
    [ -n "$port" ] && break
    sleep 0.05
  done
  echo "== $runtime"
  "$here/idle.py" --http --port "$port" --pid "$pid" --max-bytes "${most[$runtime]}" || failed=1
  kill "$pid"
  wait "$pid" || true
done
exit "$failed"
