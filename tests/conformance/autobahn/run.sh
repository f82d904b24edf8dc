#!/usr/bin/env bash
# One run of the Autobahn testsuite, against a server or a client. `run.sh --help` has the options.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
case "${1:-}" in
  server | client) installed=$("$here/install.sh") ;;
  *) exec python3 "$here/run.py" --help ;;
esac
mapfile -t installed <<<"$installed"
exec env AUTOBAHN_PYTHON="${installed[0]}" AUTOBAHN_SITE="${installed[1]}" python3 "$here/run.py" "$@"
