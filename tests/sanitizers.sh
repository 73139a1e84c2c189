#!/usr/bin/env bash
# Runs the tests under AddressSanitizer, ThreadSanitizer and Miri: tests/sanitizers.sh [address|thread|miri...]
#
# Without arguments, all three. docs/testing.md says what each covers and how long it takes.
#
#   TOOLCHAIN        a nightly toolchain (default nightly); this script installs nothing
#   SANITIZER_ARGS   arguments of the test programs, such as a filter
set -euo pipefail
cd "$(dirname "$0")/.."
(($#)) || set -- address thread miri
toolchain=${TOOLCHAIN:-nightly}
host=x86_64-unknown-linux-gnu
read -ra filter <<<"${SANITIZER_ARGS:-}"
root=$(realpath -m "${CARGO_TARGET_DIR:-target}")
# The tests around the customer's model are skipped: they compile it, and macros cannot be built with these flags.
export CUSTOMER_DIR=none CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_DEBUG=line-tables-only
failed=0
reports=$(mktemp -d)
trap 'rm -rf "$reports"' EXIT

fail() {
  echo "$*" >&2
  exit 1
}

for kind in "$@"; do
  [[ $kind =~ ^(address|thread|miri)$ ]] || fail 'usage: tests/sanitizers.sh [address|thread|miri...]'
done
[[ $(uname -sm) == 'Linux x86_64' ]] || fail 'the sanitizers are set up for Linux on x86-64 only'
installed=$(rustup component list --toolchain "$toolchain" --installed 2>/dev/null) ||
  fail "no $toolchain toolchain: rustup toolchain install $toolchain --profile minimal --component miri,rust-src"
needs() {
  local component
  for component in "$@"; do
    grep -qE "^$component(-|$)" <<<"$installed" ||
      fail "no $component in $toolchain: rustup component add --toolchain $toolchain $component"
  done
}

# Optimized a little, or else tests with time limits fail. With `--target`, build scripts and macros are spared.
sanitized() {
  CARGO_PROFILE_DEV_OPT_LEVEL=1 cargo "+$toolchain" test --locked --no-fail-fast --target "$host" "$@" -- "${filter[@]}" ||
    failed=1
}

address() {
  # `sanitized`: the program leaves out its own allocator, whose free lists would hide a use after free.
  local -x CARGO_TARGET_DIR=$root/address RUSTFLAGS='-Zsanitizer=address --cfg sanitized'
  # Reports go to files: a test may overlook what a program that it starts prints.
  local -x ASAN_OPTIONS=log_path=$reports/address
  # Left out: the zoo's 150 compiled models, which take more than 4 GB and very long to compile.
  sanitized --tests --workspace --exclude benches --exclude catboost-zoo --exclude catboost-runtime
  # Its unit tests leak tables, to have them as static as a compiled model's.
  ASAN_OPTIONS+=:detect_leaks=0
  sanitized --tests --package catboost-runtime
}

thread() {
  needs rust-src
  local -x CARGO_TARGET_DIR=$root/thread RUSTFLAGS='-Zsanitizer=thread --cfg sanitized'
  local -x TSAN_OPTIONS=log_path=$reports/thread
  # The standard library is built with it, too: its locks would not be seen otherwise.
  sanitized -Zbuild-std --tests --package pick-regno
}

# Arguments: the processor's features, then those of `cargo test`. Miri detects a feature only if it is enabled when the
# program is compiled.
interpreted() {
  RUSTFLAGS=${1:+-Ctarget-feature=$1} cargo "+$toolchain" miri test --locked "${@:2}" "${filter[@]}" || failed=1
}

miri() {
  needs miri rust-src
  # Unit tests leak tables, to have them as static as a compiled model's.
  local -x CARGO_TARGET_DIR=$root/miri MIRIFLAGS='-Zmiri-strict-provenance -Zmiri-ignore-leaks'
  local avx2=+avx2,+fma,+bmi1,+bmi2,+popcnt
  local avx512=$avx2,+avx512f,+avx512bw,+avx512vl,+avx512vbmi
  # Skipped: safe code on so many numbers, letters, texts or points that it would take hours.
  local skip=(--skip glibcs_bits --skip catboosts_bits --skip every_letter --skip the_quick_way --skip three_hundred --skip avx512_kernel)
  interpreted '' --package catboost-runtime --lib -- "${skip[@]}" --skip avx2_kernel
  interpreted "$avx2" --package catboost-runtime --lib -- "${skip[@]}" --skip portable_kernel
  interpreted "$avx512" --package catboost-runtime --lib -- avx512_kernel
  interpreted '' --package pick-regno --no-default-features --lib -- memory:: features:: decimal::sixteen
}

for kind in "$@"; do
  printf '\n== %s (%ds so far)\n' "$kind" "$SECONDS"
  case $kind in
  address) address ;;
  thread) thread ;;
  miri) miri ;;
  esac
done
for report in "$reports"/*; do
  [[ -s $report ]] || continue
  printf '\n== %s\n' "${report##*/}"
  cat "$report"
  failed=1
done
printf '\n== Done (%ds): ' "$SECONDS"
((failed == 0)) || { echo 'something failed, see above'; exit 1; }
echo 'no findings'
