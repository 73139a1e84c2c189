#!/usr/bin/env bash
# Would a cache in Redis be faster than the model? Turn by turn, on one machine: the time of one answer computed, its request
# read and its answer written, against the time of one look-up in a Redis beside it.
#
#   benches/cache/run.sh BINARY      BINARY: a release build of the service
#
# Redis is asked by its own benchmark, over a Unix socket, one client: as near as another process can be. A look-up over
# a network takes longer. Nothing here decides a test: it prints a ratio.
set -euo pipefail
binary=$(realpath "${1:?usage: benches/cache/run.sh BINARY}")
cd "$(dirname "$0")/../.."
if ! command -v redis-server >/dev/null; then
  apt-get update -qq >/dev/null
  RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends redis-server redis-tools >/dev/null
fi
scratch=$(mktemp -d)
redis-server --port 0 --unixsocket "$scratch/redis" --save '' --daemonize no >/dev/null &
redis=$!
trap 'kill "$redis"; wait "$redis"; rm -rf "$scratch"' EXIT

rows=200000
python3 - "$rows" >"$scratch/requests.csv" <<'PYTHON'
import sys
head, *lines = open("fixtures/test_data.csv", encoding="utf-8").read().splitlines()
print(head)
for at in range(int(sys.argv[1])):
    print(lines[at % len(lines)])
PYTHON

microseconds() { # of one row, given nanoseconds of all
  awk -v nanos="$1" -v rows="$rows" 'BEGIN { printf "%.2f", nanos / rows / 1000 }'
}

for turn in 1 2 3; do
  begin=$(date +%s%N)
  "$binary" score --threads 1 --output "$scratch/answers" "$scratch/requests.csv" 2>/dev/null
  model=$(microseconds $(($(date +%s%N) - begin)))
  # The value has the length of an answer; the key that of a digest.
  begin=$(date +%s%N)
  redis-benchmark -s "$scratch/redis" -q -c 1 -n "$rows" -d 84 -r 1000 GET 0123456789abcdef:__rand_int__ >/dev/null
  look_up=$(microseconds $(($(date +%s%N) - begin)))
  echo "turn $turn: computed $model µs, looked up $look_up µs: $(awk -v a="$look_up" -v b="$model" 'BEGIN { printf "%.1f", a / b }') times as long"
done
