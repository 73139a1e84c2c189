#!/usr/bin/env bash
# Builds the fuzz targets and runs each for SECONDS: fuzz/run.sh SECONDS [TARGET...]
#
# Needs nothing but stable Rust and a C++ compiler (for libFuzzer). Inputs that a run found worth keeping stay in
# fuzz/corpus/TARGET; a finding ends the script, and its input is in fuzz/artifacts/TARGET.
set -euo pipefail
seconds=${1:?usage: fuzz/run.sh SECONDS [TARGET...]}
shift
cd "$(dirname "$0")"
targets=("$@")
((${#targets[@]})) || targets=(cbm json agree generate load request records framing)

# What cargo-fuzz gives to rustc, but for the sanitizers, which stable Rust does not have. With --target, build scripts
# are spared.
host=$(rustc -vV | sed -n 's/^host: //p')
RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares" \
  cargo build --release --locked --quiet --target "$host"

# The time limit finds what hangs: it is by the clock, and a crowded machine lets a process wait for many seconds.
for target in "${targets[@]}"; do
  mkdir -p "corpus/$target" "artifacts/$target" "seeds/$target"
  case $target in
  cbm) find ../fixtures/models -name '*.cbm' -size -24k -exec cp {} "seeds/$target/" \; ;;
  json) find ../fixtures/models -name '*.json' -size -48k -exec cp {} "seeds/$target/" \; ;;
  agree) find ../fixtures/models \( -name '*.cbm' -o -name '*.json' \) -size -32k -exec cp {} "seeds/$target/" \; ;;
  generate)
    find ../fixtures/models \( -name '*.cbm' -o -name '*.json' \) -size -32k -exec cp {} seeds/generate/ \;
    # Numbers that the generator once took for the length of a table, or overflowed.
    small=../crates/catboost-model/tests/it/small.json
    sed 's/"active": \[0\]/"active": [4294967295]/' $small >seeds/generate/active.json
    sed 's/"target_border_idx": 0/"target_border_idx": 4294967295/' $small >seeds/generate/target_border.json
    sed 's/"hash_stride": 3/"hash_stride": -9223372036854775808/' $small >seeds/generate/hash_stride.json
    sed 's/"written_by": "hand"/"class_params": {"classes_count": 1000000000000000000}/' $small >seeds/generate/classes_count.json
    ;;
  load) find ../fixtures/models \( -name '*.cbm' -o -name '*.json' \) -size -32k -exec cp {} seeds/load/ \; ;;
  request) head -200 ../fixtures/cases.ndjson | sed -E 's/^\{"request": (\{.*\}), "raw": .*/\1/' |
    split --lines=1 - "seeds/$target/" ;;
  records)
    # The first byte is the format, the next four say where it is cut.
    (printf '\0\1\7\3\50' && head -n 4 ../fixtures/test_data.csv) >seeds/records/csv
    (printf '\1\0\0\0\0\t\357\273\277' && head -n 3 ../fixtures/test_data.csv) >seeds/records/mark
    (printf '\0\1\7\3\50' && head -n 4 ../fixtures/cases.ndjson | sed -E 's/^\{"request": (\{.*\}), "raw": .*/\1/') >seeds/records/ndjson
    ;;
  framing)
    printf '\0\1\7\50POST /reg/ HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET http://a/ HTTP/1.0\r\n\r\n' >seeds/framing/length
    printf '\0\1\7\50POST /reg/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nab\r\n0\r\nT: v\r\n\r\n' >seeds/framing/chunked
    ;;
  esac
  printf '== %s\n' "$target"
  # What is read bit by bit takes time by its length.
  case $target in records | framing) longest=4096 ;; *) longest=65536 ;; esac
  "target/$host/release/$target" "corpus/$target" "seeds/$target" -artifact_prefix="artifacts/$target/" \
    -max_total_time="$seconds" -timeout=120 -rss_limit_mb=2048 -max_len=$longest -print_final_stats=1 2>&1 |
    grep -E '^(Done|stat::|SUMMARY|ERROR|thread|.*panicked|[0-9]+ bytes for)|Test unit written' 
done
