#!/usr/bin/env bash
# From a model file on a data scientist's desk to a program and an image that answer exactly as CatBoost does.
#
#   model/adopt.sh MODEL.cbm OUTPUT
#
# Has CatBoost's Python package answer the fixtures' requests, builds the service around the model, checks that both
# agree to the bit, and says what changes against the model that is served now. OUTPUT, a new folder, then holds:
#
#   pick-regno     the service around the model
#   image/         a context for `docker build`: the program and the last stage of the Dockerfile
#   fixtures/      the requests and CatBoost's answers
#   report.md      what changes, with scores.png
#
#   BEFORE         the model that is served now (default model/model.json)
#   REQUESTS       the requests whose answers are compared, CSV or NDJSON (default: the fixtures' test data)
#   MUSL_CARGO     what builds for musl, as for deploy/image-rootfs.sh; `none` builds
#                  for this machine's libc and without optimization: the same bits, sooner, for a trial
#   PYTHON         a Python that has model/requirements.txt (default python3)
set -euo pipefail
here=$(realpath "$(dirname "$0")/..")
if [[ $# -ne 2 ]]; then
  sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2
  exit 64
fi
model=$(realpath -e "$1")
[[ ! -e $2 ]] || { echo "$2 exists; the output is to be a new folder" >&2; exit 73; }
before=$(realpath -e "${BEFORE:-$here/model/model.json}")
requests=$(realpath -e "${REQUESTS:-$here/fixtures/test_data.csv}")
python=${PYTHON:-python3}
# Not through links: a virtual environment's Python is one.
[[ $python != */* ]] || python=$(realpath -se "$python")
[[ ${MUSL_CARGO:-} != */* ]] || MUSL_CARGO=$(realpath -e "$MUSL_CARGO")
"$python" -c 'import catboost, matplotlib' || {
  echo "$python has not what model/requirements.txt names; install it, or name another in PYTHON (docs/new-model.md)" >&2
  exit 69
}
mkdir -p "$2"
output=$(realpath "$2")
cd "$here"

scratch=$(mktemp -d)
finish() {
  local code=$?
  rm -rf "$scratch"
  ((code != 0)) || return 0
  if [[ -e $output/pick-regno ]]; then
    echo "stopped; $output is not complete: look at it, and remove it before the next try" >&2
  else
    rm -rf "$output"
  fi
}
trap finish EXIT

# build MODEL BINARY: the service around a model.
build() {
  local target
  target="$(uname -m)-unknown-linux-musl"
  case ${MUSL_CARGO:-} in
  none)
    PICK_REGNO_MODEL=$1 CARGO_TARGET_DIR=target cargo build --quiet --locked --package pick-regno
    cp target/debug/pick-regno "$2"
    ;;
  '')
    PICK_REGNO_MODEL=$1 CARGO_TARGET_DIR=target cargo build --quiet --release --locked --package pick-regno --target "$target"
    cp "target/$target/release/pick-regno" "$2"
    ;;
  *)
    PICK_REGNO_MODEL=$1 CARGO_TARGET_DIR=target/musl "$MUSL_CARGO" build --quiet --release --locked --package pick-regno
    cp "target/musl/$target/release/pick-regno" "$2"
    ;;
  esac
}

echo '== What CatBoost answers'
mkdir "$output/fixtures"
"$python" fixtures/make.py "$model" "$output/fixtures"

echo '== The service around the model'
build "$model" "$output/pick-regno"
build "$before" "$scratch/before"
stat -c '%s bytes' "$output/pick-regno"

echo '== Parity'
"$output/pick-regno" check "$output/fixtures/test_data.expected.ndjson" "$output/fixtures/cases.ndjson" |
  tee "$scratch/parity"

echo '== What changes'
cargo run --quiet --package cbm -- diff "$before" "$model" >"$scratch/diff" || [[ $? -eq 1 ]]
"$scratch/before" model >"$scratch/before.json"
"$output/pick-regno" model >"$scratch/after.json"
# A request that the model's features refuse is an answer too, so that `score` ending with 1 is no fault here.
"$scratch/before" score "$requests" >"$scratch/before.ndjson" || [[ $? -eq 1 ]]
"$output/pick-regno" score "$requests" >"$scratch/after.ndjson" || [[ $? -eq 1 ]]
"$python" model/report.py "$scratch" "$output" "$requests"

echo '== An image'
if [[ ${MUSL_CARGO:-} == none ]]; then
  echo 'none: a trial is not linked statically'
  exit 0
fi
mkdir "$output/image"
cp "$output/pick-regno" "$output/image/"
sed -n '/^FROM scratch/,$p' Dockerfile | sed 's/^COPY --from=build \/pick-regno /COPY pick-regno /' >"$output/image/Dockerfile"
echo "docker build -t pick-regno $2/image"
