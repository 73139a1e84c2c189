#!/usr/bin/env bash
# Runs a script of this folder in a virtual environment that has what tests/requirements.txt names:
#   tests/python.sh SCRIPT [ARGUMENT...]
# The environment is made once, in target/python; PYTHON_ENV names another place.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
env=${PYTHON_ENV:-$here/../target/python}
if ! cmp -s "$here/requirements.txt" "$env/requirements.txt"; then
  python3 -m venv "$env"
  "$env/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"
  cp "$here/requirements.txt" "$env/requirements.txt"
fi
cd "$here"
exec "$env/bin/python" "$@"
