#!/usr/bin/env bash
# The tests of connect/ and of deploy/spark against real servers, in short forms: installs what is missing, builds, and runs every ledger. It ends with
# exit code 1 at the first that does not hold. As root, on Linux.
#
#   tests/connect/run.sh PICK_REGNO      PICK_REGNO: any build of the service
#
# Without optimization by the linker: it would take minutes, and no figure of these short forms is kept.
set -euo pipefail
program=$(realpath "$1")
cd "$(dirname "$0")/../.."
export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target/connect}
python=$(tests/connect/install.sh)
cargo build --quiet --release --locked --manifest-path connect/Cargo.toml --features mongodb --bins --examples
connect=$CARGO_TARGET_DIR/release/pick-regno-connect
load=$CARGO_TARGET_DIR/release/examples/queue_load

"$python" tests/connect/openbao.py "$program"
"$python" tests/connect/udf.py "$program" 50000
unshare --mount "$python" tests/connect/recorder.py "$program" 3 1
"$python" tests/connect/record.py "$program" "$connect" 15 2000 clickhouse
"$python" tests/connect/record.py "$program" "$connect" 12 1000 s3
"$python" tests/connect/record.py "$program" "$connect" 12 1000 mongodb
"$python" tests/connect/worker.py "$connect" "$load" 20000
"$python" tests/connect/celery_client.py "$connect" "$program" 300
"$python" tests/connect/spark.py "$program" 100000
