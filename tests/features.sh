#!/usr/bin/env bash
# Checks every combination of features of every package that has features, and the least versions of dependencies that Cargo.toml names.
set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target}/features

cargo hack --version >/dev/null 2>&1 || cargo install --quiet --locked cargo-hack
cargo hack check --quiet --workspace --feature-powerset --at-least-one-of std,libm --no-dev-deps --exclude benches

echo '== least versions'
least=$(mktemp -d)
trap 'rm -rf "$least"' EXIT
git ls-files -z | xargs -0 cp --parents --no-dereference --target-directory "$least"
target=$(realpath "$CARGO_TARGET_DIR")
cd "$least"
# The nightly compiler chooses the versions; that of rust-toolchain.toml checks them.
cargo +nightly update --quiet -Z direct-minimal-versions
CARGO_TARGET_DIR=$target/least cargo check --quiet --workspace --exclude benches --locked
