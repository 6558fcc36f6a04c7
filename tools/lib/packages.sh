# SPDX-License-Identifier: Apache-2.0
# Installs the packages of tools/packages.txt that are missing. Sourced by tools/quickstart and tools/check.
#
#   install_packages TOOL YES
#
# TOOL: quickstart or check, the column of packages.txt. YES: 1 to go on without asking; without a terminal on standard
# input nothing is ever asked. Returns 0 when everything is there, and 1, with the reason on stderr, when it is not.

packages_of() {
  awk -v tool="$1" '!/^#/ { for (i = 2; i <= NF; ++i) if ($i == tool) print $1 }' "$root/tools/packages.txt"
}

missing_packages() {
  local package
  for package in $(packages_of "$1"); do
    dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || echo "$package"
  done
}

install_packages() {
  local tool=$1 yes=$2 missing answer as_root=()
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "This is no Debian system: nothing is installed. Needed are what these packages of Debian 12 hold:" >&2
    packages_of "$tool" | sed 's/^/  /' >&2
    return 0
  fi
  missing=$(missing_packages "$tool")
  [ -n "$missing" ] || return 0
  echo "These packages are missing and will be installed with apt-get:"
  printf '  %s\n' $missing
  if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null || { [ ! -t 0 ] && ! sudo -n true 2>/dev/null; }; then
      echo "You are not root and there is no sudo that works here. Have them installed, then run this again:" >&2
      echo "  apt-get install --no-install-recommends" $missing >&2
      return 1
    fi
    as_root=(sudo)
  fi
  if [ "$yes" -ne 1 ] && [ -t 0 ]; then
    read -r -p "Go on? [Y/n] " answer
    case $answer in '' | [yY]*) ;; *) echo "Nothing was installed." >&2; return 1 ;; esac
  fi
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq </dev/null &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
      apt-get install -y -qq --no-install-recommends $missing </dev/null >/dev/null
  missing=$(missing_packages "$tool")
  [ -z "$missing" ] || { echo "apt-get did not install:" $missing >&2; return 1; }
}
