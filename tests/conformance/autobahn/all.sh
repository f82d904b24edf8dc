#!/usr/bin/env bash
# The Autobahn testsuite against our server on each runtime, and against our client.
# usage: all.sh [quick|full|CASES]    reports go to the target directory, in conformance/autobahn/
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
cases=${1:-quick}
target=${CARGO_TARGET_DIR:-$root/target}
out=$target/conformance/autobahn

(cd "$here" && python3 -B -m unittest --quiet test_verdict)
cargo build --quiet --release --manifest-path "$root/Cargo.toml" -p sinew-examples \
  --example echo_ws --example ws_autobahn_client

programs=$target/release/examples
failed=()
# check MODE NAME COMMAND...: one run; the others go on if it fails.
check() {
  local mode=$1 name=$2
  shift 2
  echo "== autobahn $cases: $name"
  "$here/run.sh" "$mode" --agent "$name" --cases "$cases" --out "$out/$name" -- "$@" || failed+=("$name")
}
for runtime in tokio smol std; do
  check server "server-$runtime" "$programs/echo_ws" --listen '{address}' --runtime "$runtime"
done
check client client "$programs/ws_autobahn_client" --server '{address}' --agent '{agent}' --runtime tokio

if [ "${#failed[@]}" -gt 0 ]; then
  echo "autobahn $cases: FAILED: ${failed[*]}"
  exit 1
fi
echo "autobahn $cases: 4 runs, no failures"
