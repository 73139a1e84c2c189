#!/usr/bin/env bash
# The tests of connect/ against real servers, in short forms.
#
#   tests/connect/run.sh PICK_REGNO
#
# Without optimization by the linker: it would take minutes, and no figure of these short forms is kept.
set -euo pipefail
program=$(realpath "$1")
cd "$(dirname "$0")/../.."
export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target/connect}
python=$(tests/connect/install.sh)
cargo test --quiet --release --locked --manifest-path connect/Cargo.toml
cargo build --quiet --release --locked --manifest-path connect/Cargo.toml --bins --examples
tree=$(cargo tree --edges normal,build --manifest-path connect/Cargo.toml --prefix none --no-dedupe | awk '{print $1}' | sort -u)
if grep -vx linux-raw-sys <<<"$tree" | grep -xE 'cc|cmake|bindgen|pkg-config|vcpkg|ring|aws-lc-.*|.*-sys'; then
  echo 'these crates build or bring C; see above' >&2
  exit 1
fi
connect=$CARGO_TARGET_DIR/release/pick-regno-connect
"$python" tests/connect/openbao.py "$program"
"$python" tests/connect/udf.py "$program" 50000
"$python" tests/connect/record.py "$program" "$connect" 20 2000
"$python" tests/connect/worker.py "$connect" "$CARGO_TARGET_DIR/release/examples/queue_load" 20000
"$python" tests/connect/celery_client.py "$connect" "$program" 300
