#!/usr/bin/env bash
# Makes a file with a random API key, if it is not there: outside the repository, and so outside the image's build context.
#
#   deploy/keys.sh [FILE]      FILE: default ~/.pick-regno/api-keys
set -euo pipefail
file=${1:-$HOME/.pick-regno/api-keys}
if [[ ! -e $file ]]; then
  # Others cannot enter the folder; a container's user, to whom the file itself is given, may read it.
  folder=$(dirname "$file")
  if [[ ! -d $folder ]]; then
    mkdir -p "$folder"
    chmod 700 "$folder"
  fi
  key=$(head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n')
  printf '%s\n' "$key" >"$file"
  chmod 444 "$file"
fi
echo "$file"
