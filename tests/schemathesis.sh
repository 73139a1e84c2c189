#!/usr/bin/env bash
# Holds the server against its own /openapi.json: the document is validated, then schemathesis makes requests of it,
# right ones and wrong ones, and checks every answer (statuses, types, headers, schemas, keys, methods).
#   tests/schemathesis.sh            a minute or so
#   EXAMPLES=1000 tests/schemathesis.sh
# Exits with 1 if it finds a violation or a 5xx. The server is target/release/pick-regno, or PICK_REGNO_BIN.
set -euo pipefail
cd "$(dirname "$0")"
exec ./python.sh schemathesis_run.py
