#!/usr/bin/env bash
# Builds and tests for other targets: tests/targets.sh [MODEL.cbm CASES.ndjson...]
#
# - `catboost-runtime` compiles without the standard library (thumbv7em) and for wasm32;
# - the zoo runs on aarch64 under qemu, so that every model gives CatBoost's bits there too;
# - with MODEL, the service is built around it for aarch64 and checks the recorded CASES.
#
# Needs rustup (installs the targets) and Debian's `qemu-user-static`.
set -euo pipefail
cd "$(dirname "$0")/.."

arm=aarch64-unknown-linux-musl
rustup target add --toolchain "$(rustup show active-toolchain | cut -d' ' -f1)" \
  thumbv7em-none-eabihf wasm32-unknown-unknown "$arm" 2>&1 | grep -v '^info' || true

export CARGO_PROFILE_DEV_DEBUG=0
for target in thumbv7em-none-eabihf wasm32-unknown-unknown; do
  cargo build --quiet --package catboost-runtime --no-default-features --features libm --target "$target"
  echo "catboost-runtime builds for $target without the standard library"
done

# Rust's own linker does, so that no C toolchain for aarch64 is needed.
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_LINKER=rust-lld
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_RUNNER=qemu-aarch64-static
# Unoptimized code under qemu takes minutes.
CARGO_PROFILE_DEV_OPT_LEVEL=1 cargo test --quiet --package catboost-zoo --lib --tests --target "$arm"

if (($#)); then
  PICK_REGNO_MODEL=$1 CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
    cargo build --release --quiet --package pick-regno --target "$arm"
  shift
  qemu-aarch64-static "target/$arm/release/pick-regno" check "$@" | tail -n 1
fi
