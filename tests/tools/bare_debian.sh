#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs a command in a fresh clone on a bare Debian 12 with nothing but git, without a terminal on standard input.
#
#   tests/tools/bare_debian.sh tools/quickstart
#
# Ends with the command's exit code, or with 77 where no such system can be made. What is not committed is not seen.
set -u
skip() {
  echo "$*"
  exit 77
}
[ $# -gt 0 ] || { echo "usage: tests/tools/bare_debian.sh COMMAND..." >&2; exit 2; }
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
[ "$(id -u)" -eq 0 ] || skip "needs root"
command -v debootstrap >/dev/null || skip "needs debootstrap"
unshare --mount true 2>/dev/null || skip "needs mount namespaces"

folder=$(mktemp -d)
trap 'rm -rf --one-file-system "$folder"' EXIT
system=$folder/debian
debootstrap --variant=minbase --include=git,ca-certificates bookworm "$system" \
  "${DEBIAN_MIRROR:-http://deb.debian.org/debian}" >"$folder/log" 2>&1 || { tail -n 5 "$folder/log"; skip "debootstrap failed"; }
git -c safe.directory="$root" clone -q "file://$root" "$system/root/geeps" || exit 1

# The mounts end with the namespace, before the folder is removed.
unshare --mount --pid --fork --kill-child bash -c '
  mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" || exit 77
  exec chroot "$0" env -i HOME=/root LC_ALL=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    bash -c "cd /root/geeps && exec \"\$@\"" bash "$@"' "$system" "$@" </dev/null
