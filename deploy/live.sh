#!/usr/bin/env bash
# Runs the service under load with a real Prometheus watching it, and asks Prometheus everything that the dashboard and
# the rules ask: a question without an answer is a fault. Loopback only, on free ports; about a minute.
#
#   deploy/live.sh BINARY [PICTURE.png]     PICTURE: draws the answers as the dashboard arranges them
set -euo pipefail
cd "$(dirname "$0")/.."
binary=${1:?usage: deploy/live.sh BINARY [PICTURE.png]}
[[ -f $binary && -x $binary ]] || { echo "$binary is no program; one is built by cargo build --release" >&2; exit 66; }
tools=$(deploy/tools.sh)
exec "$tools/bin/python" -u deploy/live.py "$binary" "${@:2}"
