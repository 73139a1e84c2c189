#!/usr/bin/env bash
# Installs what the tests of connect/ and of deploy/spark run against, once: packages of Debian (as root), PyPI and npm. Prints the
# Python to run them with. target/cache keeps everything that is not Debian's.
#
#   ClickHouse is the listener of clickhouse-local, from npm's package of chDB (178 MB). MongoDB's wire protocol is spoken by secantusdb,
#   a stand-in: no mongod is to be had from a registry. OpenBao is Vault's open fork.
set -euo pipefail
cd "$(dirname "$0")/../.."
need=()
for package in rabbitmq-server redis-server python3-venv procps strace util-linux default-jre-headless; do
  dpkg -s "$package" >/dev/null 2>&1 || need+=("$package")
done
# Node's own package has npm too, and conflicts with Debian's.
command -v npm >/dev/null || need+=(npm)
if ((${#need[@]})); then
  apt-get update -qq >/dev/null
  # Programs only: the tests start servers of their own.
  policy=/usr/sbin/policy-rc.d
  if [[ ! -e $policy ]]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
  fi
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${need[@]}" >/dev/null
fi
mkdir -p target/cache
venv=target/cache/venv
if ! cmp -s tests/connect/requirements.txt "$venv/requirements.txt"; then
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check -r tests/connect/requirements.txt >/dev/null
  cp tests/connect/requirements.txt "$venv/requirements.txt"
fi
chdb='@chdb/lib-linux-x64-gnu@26.7.3-stable.1'
if [[ ! -e target/cache/chdb/package/libchdb.so ]]; then
  rm -rf target/cache/chdb
  mkdir target/cache/chdb
  (cd target/cache/chdb && npm pack --silent "$chdb" >/dev/null && tar xzf ./*.tgz && rm ./*.tgz)
fi
realpath -s "$venv/bin/python"
