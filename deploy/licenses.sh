#!/usr/bin/env bash
# Writes to stdout the licences of all that the static program is made of: crates, Rust's standard library, musl.
#
#   deploy/licenses.sh [TARGET [MANIFEST [FEATURES]]]
#
#   TARGET     default x86_64-unknown-linux-musl
#   MANIFEST   default Cargo.toml, the service; connect/Cargo.toml is pick-regno-connect
#
# Nothing but cargo and what it has fetched is needed. A crate whose package holds no text is taken under Apache-2.0 or MIT; if
# it offers neither, the script ends.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${1:-x86_64-unknown-linux-musl}
manifest=${2:-Cargo.toml}
package=$(sed -n 's/^name = "\(.*\)"/\1/p' "$manifest" | head -n 1)
registry=${CARGO_HOME:-$HOME/.cargo}/registry/src

cargo fetch --locked --quiet --manifest-path "$manifest" --target "$target"
crates=$(cargo tree --locked --manifest-path "$manifest" --package "$package" --features "${3:-}" --edges normal --target "$target" --prefix none --no-dedupe --format '{p}|{l}' |
  grep -v '(/' | sed 's/ (proc-macro)//' | sort -u)

cat <<TEXT
Licences of what the program $package is made of, besides its own (LICENSE-MIT, LICENSE-APACHE). Where a crate offers several
licences, MIT is taken if it is among them.

TEXT
while IFS='|' read -r package licence; do
  read -r name version <<<"$package"
  folders=("$registry"/*/"$name-${version#v}")
  [[ -d ${folders[0]} ]] || { echo "$name ${version#v}: not in $registry" >&2; exit 1; }
  mapfile -t texts < <(find "${folders[0]}" -maxdepth 1 -type f -iname '*mit*' ! -name '*.rs' | sort)
  ((${#texts[@]})) || mapfile -t texts < <(find "${folders[0]}" -maxdepth 1 -type f \( -iname 'licen[cs]e*' -o -iname 'copying*' \) | sort)
  mapfile -t notices < <(find "${folders[0]}" -maxdepth 1 -type f -iname 'notice*' | sort)
  printf '==== %s %s: %s\n\n' "$name" "${version#v}" "$licence"
  if ((${#texts[@]})); then
    cat "${texts[@]}"
  elif [[ $licence == *Apache-2.0* ]]; then
    echo 'Its package holds no text. It is taken under Apache-2.0: the text is at the end of this file.'
  elif [[ $licence == *MIT* ]]; then
    printf 'Copyright (c) the authors of %s\n\n' "$name"
    sed -n '/^Permission is hereby granted/,$p' LICENSE-MIT
  else
    echo "$name ${version#v}: $licence, and its package holds no text" >&2
    exit 1
  fi
  if ((${#notices[@]})); then cat "${notices[@]}"; fi
  echo
done <<<"$crates"

for part in "Rust's standard library: MIT OR Apache-2.0|Copyright (c) The Rust Project Contributors" \
  "musl: MIT|Copyright (c) 2005-2020 Rich Felker, et al."; do
  printf '==== %s\n\n%s\n\n' "${part%%|*}" "${part#*|}"
  sed -n '/^Permission is hereby granted/,$p' LICENSE-MIT
  echo
done

printf '==== Apache License, Version 2.0\n\n'
cat LICENSE-APACHE
