#!/usr/bin/env bash
# Builds the image's context twice, in two folders of different names and with nothing of one build left for the other,
# and compares: whoever builds the same commit with the same compiler gets the same program.
#
#   deploy/reproducible.sh [OUTPUT]     OUTPUT: where to put the program
#
# MUSL_CARGO names the command that builds, as for deploy/image-rootfs.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
[[ -z ${MUSL_CARGO:-} ]] || MUSL_CARGO=$(realpath "$MUSL_CARGO")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# What `COPY . .` of the Dockerfile copies from a fresh clone.
context() {
  mkdir -p "$1"
  git ls-files -z | grep -zvE "^($(grep -v '^#' .dockerignore | paste -sd '|' | sed 's/\./\\./g'))(/|$)" |
    tar --null --files-from=- -cf - | tar -xf - -C "$1"
}

# Builds in a folder of its own. Where that folder and Cargo's are must not be seen in the program.
build() (
  cd "$1"
  local target variable
  target="$(uname -m)-unknown-linux-musl"
  # The target's variable adds to .cargo/config.toml; RUSTFLAGS would replace it.
  variable=$(tr a-z- A-Z_ <<<"CARGO_TARGET_${target}_RUSTFLAGS")
  export "$variable=--remap-path-prefix=$1=/src --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo"
  if [[ -n ${MUSL_CARGO:-} ]]; then
    CARGO_TARGET_DIR=target "$MUSL_CARGO" build --quiet --release --locked --package pick-regno
  else
    CARGO_TARGET_DIR=target cargo build --quiet --release --locked --package pick-regno --target "$target"
  fi
  mv "target/$target/release/pick-regno" "$2"
  rm -rf target
)

context "$scratch/one"
context "$scratch/another/and-deeper"
build "$scratch/one" "$scratch/first"
build "$scratch/another/and-deeper" "$scratch/second"
sha256sum "$scratch/first" "$scratch/second"
cmp "$scratch/first" "$scratch/second"
echo "the same $(stat -c %s "$scratch/first") bytes twice"
if [[ $# -gt 0 ]]; then
  cp "$scratch/first" "$1"
fi
