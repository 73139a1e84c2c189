#!/usr/bin/env bash
# Would a cache in Redis be cheaper than the model? Turn by turn, on one machine, in processor time: an answer computed, its
# request read and its answer written, against a look-up in a Redis beside it, client and server.
#
#   benches/cache/run.sh BINARY      BINARY: a release build of the service
#
# Redis is asked by its own benchmark, over a Unix socket, one client: as near as another process can be. The waiting
# between the two, which a network makes longer, is not in these figures.
set -euo pipefail
binary=$(realpath -e "${1:?usage: benches/cache/run.sh BINARY}")
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

# Processor time of the commands that this shell has ended, and of Redis so far: in seconds.
spent() {
  awk -v tick="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); print ($12 + $13) / tick }' "/proc/$redis/stat"
  awk -v tick="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); print ($14 + $15) / tick }' "/proc/$$/stat"
}
measure() { # of one row, in microseconds
  local before after
  before=$(spent | paste -sd +)
  "$@"
  after=$(spent | paste -sd +)
  awk -v rows="$rows" "BEGIN { printf \"%.1f\", ($after - ($before)) / rows * 1e6 }"
}

for turn in 1 2 3; do
  measure "$binary" score --threads 1 --output "$scratch/answers" "$scratch/requests.csv" 2>/dev/null >"$scratch/model"
  # The value has the length of an answer; the key that of a digest.
  measure redis-benchmark -s "$scratch/redis" -q -c 1 -n "$rows" -d 84 -r 1000 GET 0123456789abcdef:__rand_int__ \
    >"$scratch/look-up"
  model=$(tail -n 1 "$scratch/model") look_up=$(tail -n 1 "$scratch/look-up" | grep -oE '[0-9.]+$')
  echo "turn $turn: computed $model µs, looked up $look_up µs: $(awk -v a="$look_up" -v b="$model" 'BEGIN { printf "%.1f", a / b }') times as much"
done
