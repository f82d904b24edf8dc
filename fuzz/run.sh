#!/bin/sh
# Runs every fuzz target for SECONDS (20 if not given); fails if one of them found something.
# Needs cargo-fuzz (`cargo install cargo-fuzz --locked`) and a C++ compiler, no nightly toolchain:
# without a sanitizer all that cargo-fuzz needs is the coverage instrumentation, which
# RUSTC_BOOTSTRAP=1 opens on stable.
set -eu
cd "$(dirname "$0")"
seconds=${1:-20}
status=0
for target in $(sed -n 's/^name = "\(.*\)"$/\1/p' Cargo.toml | grep -v '^sinew-fuzz$'); do
    echo "== $target: $seconds s"
    # New inputs go to a directory that is not committed; the seeds are only read.
    mkdir -p "target/corpus/$target"
    RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir . -s none "$target" \
        "target/corpus/$target" "corpus/$target" -- \
        -max_total_time="$seconds" -max_len=2048 -dict=http.dict -print_final_stats=1 -verbosity=0 \
        || { echo "== $target: FOUND SOMETHING, see artifacts/$target"; status=1; }
done
exit $status
