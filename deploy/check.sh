#!/usr/bin/env bash
# Checks what deploy/ holds, without a cluster, an engine or a network: each line names what was checked.
#
#   deploy/check.sh BINARY     BINARY: any build of the service; settings named here must be settings of its
set -euo pipefail
cd "$(dirname "$0")/.."
binary=${1:?usage: deploy/check.sh BINARY}
[[ -f $binary && -x $binary ]] || { echo "$binary is no program; one is built by cargo build --release" >&2; exit 66; }
tools=$(deploy/tools.sh)

echo "== Dockerfiles"
channel=$(sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml)
for file in Dockerfile connect/Dockerfile; do
  "$tools/bin/hadolint" "$file"
  grep -q "^FROM rust:$channel-" "$file" || { echo "$file: its image is not of Rust $channel, which rust-toolchain.toml names" >&2; exit 1; }
done
echo "== build context"
# Everything is left out but what is named: keys that lie about do not get in.
[[ $(grep -m 1 -v '^#' .dockerignore) == '*' ]] || { echo ".dockerignore does not begin with *" >&2; exit 1; }
echo "== licences"
deploy/licenses.sh | grep -c '^==== '
deploy/licenses.sh x86_64-unknown-linux-musl connect/Cargo.toml mongodb | grep -c '^==== '
echo "== scripts"
git ls-files -z .ci/run "*.sh" | xargs -0 shellcheck
echo "== compose"
"$tools/bin/check-jsonschema" --builtin-schema vendor.compose-spec deploy/compose*.yml
echo "== workflows"
"$tools/bin/check-jsonschema" --builtin-schema vendor.github-workflows .github/workflows/*.yml
echo "== Prometheus"
promtool check config --syntax-only deploy/prometheus/prometheus.yml
promtool check rules deploy/prometheus/{rules,alerts}.yml
promtool test rules deploy/prometheus/tests.yml
names() { grep -oE "$1: [A-Za-z]+" "$2" | sed 's/.*: //' | sort -u; }
untested=$(comm -23 <(names alert deploy/prometheus/alerts.yml) <(names alertname deploy/prometheus/tests.yml))
[[ -z $untested ]] || { echo "alerts without a test: $untested" >&2; exit 1; }
amtool check-config deploy/prometheus/alertmanager.yml
echo "== Kubernetes"
"$tools/bin/python" deploy/kubernetes/validate.py "$binary"
