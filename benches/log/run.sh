#!/usr/bin/env bash
# What log lines cost: instructions a request that is answered by `serve`, with the share of requests that are logged at 0,
# 0.01 (the default) and 1. Counted by callgrind, so that what else the machine does matters little. Needs valgrind and curl.
#
#   benches/log/run.sh BINARY      BINARY: a release build of the service
set -euo pipefail
binary=$(realpath "${1:?usage: benches/log/run.sh BINARY}")
cd "$(dirname "$0")/../.."
scratch=$(mktemp -d)
service=
trap '[[ -z $service ]] || kill "$service" 2>/dev/null; rm -rf "$scratch"' EXIT
listen=127.0.0.1:15000 admin=127.0.0.1:19464

load() {
  "$binary" load fixtures/test_data.csv --url "http://$listen/reg/" --duration "$1" >/dev/null
}
rows() {
  curl -sS "http://$admin/metrics" | awk '$1 == "pick_regno_rows_total" { print $2 }'
}

for share in 0 0.01 1; do
  valgrind --tool=callgrind --callgrind-out-file="$scratch/profile" "$binary" \
    serve --workers 1 --listen $listen --admin $admin --log-sample $share 2>/dev/null &
  service=$!
  until "$binary" healthcheck --admin $admin >/dev/null 2>&1; do
    kill -0 "$service" || { echo "the service did not start: are $listen and $admin free?" >&2; exit 1; }
    sleep 0.2
  done
  load 2s
  callgrind_control --zero "$service" >/dev/null 2>&1
  before=$(rows)
  load 8s
  after=$(rows)
  callgrind_control --dump "$service" >/dev/null 2>&1
  kill "$service"
  wait "$service"
  service=
  awk -v share=$share -v requests=$((after - before)) '$1 == "totals:" {
    printf "--log-sample %s: %d instructions a request, over %d of them\n", share, $2 / requests, requests
  }' "$scratch/profile.1"
  rm "$scratch"/profile*
done
