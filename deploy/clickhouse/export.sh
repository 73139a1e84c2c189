#!/usr/bin/env bash
# Rows of ClickHouse → files that the project's other tools read.
#
#   deploy/clickhouse/export.sh WHAT [CONDITION] > FILE
#
#   requests   requests, a line each: REQUESTS=FILE model/adopt.sh …, pick-regno score, pick-regno load
#   cases      requests with their answers: pick-regno check
#   training   requests with the truth, {"request":{…},"label":0 or 1}: what model/train.py wants to know of a row
#
#   CLICKHOUSE       the HTTP interface (default http://127.0.0.1:8123)
#   CLICKHOUSE_USER  the user (default default); the password is in the file that CLICKHOUSE_PASSWORD_FILE names
#
# CONDITION is SQL, such as "time > now() - INTERVAL 7 DAY". Only rows that were recorded with plates have a request. What is written holds plates.
set -euo pipefail
case ${1:-} in
requests) columns="request" from="answers" ;;
cases)
  columns="'{\"request\":' || request || ',\"raw\":' || toString(raw) || ',\"negative\":' || toString(negative) || ',\"positive\":' || toString(positive) || '}'"
  from="answers"
  ;;
training)
  columns="'{\"request\":' || request || ',\"label\":' || toString(toUInt8(network_is_right)) || '}'"
  from="answers_with_truth"
  ;;
*)
  sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2
  exit 64
  ;;
esac
query="SELECT $columns FROM pick_regno.$from WHERE request != '' AND (${2:-1}) ORDER BY time, instance, seq FORMAT TSVRaw"
headers=(-H "X-ClickHouse-User: ${CLICKHOUSE_USER:-default}")
[[ -z ${CLICKHOUSE_PASSWORD_FILE:-} ]] || headers+=(-H "X-ClickHouse-Key: $(<"$CLICKHOUSE_PASSWORD_FILE")")
# An error in the middle must not look like the end of the rows.
exec curl --fail-with-body --silent --show-error "${headers[@]}" --data-binary "$query" "${CLICKHOUSE:-http://127.0.0.1:8123}/?wait_end_of_query=1"
