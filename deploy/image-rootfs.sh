#!/usr/bin/env bash
# Follows the Dockerfile's last stage by hand, for machines where no Docker runs: lays out the image's root filesystem
# and runs the service in it as Docker would, to prove that it needs nothing else. As root, on Linux.
#
#   deploy/image-rootfs.sh [BINARY]
#
# BINARY is a static build of the service. Without it one is built here, by the command that MUSL_CARGO names instead
# of `cargo` if that is set (it adds the target itself, and builds into target/musl).
set -euo pipefail
cd "$(dirname "$0")/.."

if [[ $# -gt 0 ]]; then
  binary=$1
elif [[ -n ${MUSL_CARGO:-} ]]; then
  "$MUSL_CARGO" build --release --locked --package pick-regno
  binary=target/musl/x86_64-unknown-linux-musl/release/pick-regno
else
  target="$(uname -m)-unknown-linux-musl"
  cargo build --release --locked --package pick-regno --target "$target"
  binary=target/$target/release/pick-regno
fi

[[ -f $binary && -x $binary ]] || { echo "usage: deploy/image-rootfs.sh [BINARY]: $binary is no program" >&2; exit 66; }

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
# Namespaces of its own, as a container has: no network but a loopback, no process but its own, its own mounts.
unshare --mount --net --pid --fork --kill-child python3 -u deploy/image_rootfs.py "$binary" "$root"
