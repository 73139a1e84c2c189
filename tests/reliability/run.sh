#!/usr/bin/env bash
# The short versions of all runs of this folder, one after the other: six minutes. LONG=1 makes them the long ones, but
# for the hour of soak.py. The binary is target/release/pick-regno, or PICK_REGNO_BIN. Needs python3 and
# openssl; proxies and their clients are tested as far as they are installed, and what is left out is said. NO_SKIPS=1 fails then.
set -euo pipefail
cd "$(dirname "$0")"
for script in steady overload memory slow idle sigterm batch strangers rolling; do
  printf -- '-- %s\n' "$script"
  python3 "$script.py"
done
printf -- '-- proxies\n'
../python.sh reliability/proxies.py
if [[ ${LONG:-} != 1 ]]; then
  printf -- '-- soak\n'
  python3 soak.py
fi
