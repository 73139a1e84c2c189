#!/usr/bin/env bash
# Packages each publishable crate as `cargo publish` would, builds it from the packages alone, and runs their unit and documentation
# tests. Integration tests are not packaged: they read fixtures/. So do two unit tests, which find it by `ZOO`.
set -euo pipefail
cd "$(dirname "$0")/.."
crates=(catboost-runtime catboost-model catboost-apply catboost-codegen cbm)
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
unpacked=$(mktemp -d)
trap 'rm -rf "$unpacked"' EXIT

selected=()
for crate in "${crates[@]}"; do
  selected+=(--package "$crate")
done
# Cargo's own check reuses what an earlier run has unpacked under the same version. So the packages are built below.
cargo package --quiet --allow-dirty --locked --no-verify "${selected[@]}"

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
{
  printf '[workspace]\nresolver = "3"\nmembers = ["*-%s"]\n[patch.crates-io]\n' "$version"
  for crate in "${crates[@]}"; do
    # `--touch`: packages have one date for all files, by which Cargo would take what an earlier run has built.
    tar -xz --touch -f "$target/package/$crate-$version.crate" -C "$unpacked"
    for file in README.md LICENSE-MIT LICENSE-APACHE; do
      [[ -s $unpacked/$crate-$version/$file ]] || { echo "the package of $crate has no $file" >&2; exit 1; }
    done
    printf '%s = { path = "%s-%s" }\n' "$crate" "$crate" "$version"
  done
} >"$unpacked/Cargo.toml"
cp Cargo.lock "$unpacked"
export ZOO=$PWD/fixtures/models
cd "$unpacked"
CARGO_TARGET_DIR=$target/packages cargo test --quiet --workspace
