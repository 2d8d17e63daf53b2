#!/usr/bin/env bash
# Installs prewire on Debian 12, Ubuntu 24.04 or later, as root, or brings an installation up to date.
#
#   scripts/install.sh           from this clone
#   scripts/install.sh WHEEL     from a wheel of prewire, with the units of this clone
#
# Python packages go to /opt/prewire, units to /etc/systemd/system, settings to /etc/prewire. Nothing is
# started, and neither settings nor databases that are there are touched: docs/install.md goes on.
# PREWIRE_EXTRAS names extras to install, as in "learn,kubernetes"; PYTHON the interpreter.
set -euo pipefail

SOURCE=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
TARGET=/opt/prewire
PACKAGES=(openvswitch-switch openvswitch-common python3-venv iproute2 ethtool util-linux ca-certificates)
ROOMS=(openflow nib gateway_lb qos predictor ryu_apps prewire topologies)

fail() {
  echo "install: $*" >&2
  exit 1
}

say() {
  echo "install: $*"
}

install_packages() {
  local package missing=()
  for package in "${PACKAGES[@]}"; do
    dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed ||
      missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  say "packages ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -q
  apt-get install -q -y --no-install-recommends -o DPkg::Lock::Timeout=300 "${missing[@]}"
}

python_of() {
  local candidate
  for candidate in ${PYTHON:-/usr/bin/python3 python3 python3.13 python3.12 python3.11}; do
    if "$candidate" -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  fail "no Python 3.11 or later found; set PYTHON"
}

# built_from DIRECTORY: what a wheel is built from, without what earlier builds left in the clone.
built_from() {
  (cd "$SOURCE" && cp -r "${ROOMS[@]}" setup.cfg pyproject.toml README.md LICENSE "$1")
}

install_python() {
  local what=$1 extras=${PREWIRE_EXTRAS:+[$PREWIRE_EXTRAS]} python
  python=$(python_of)
  say "Python packages into $TARGET"
  if command -v uv >/dev/null; then
    [[ -x $TARGET/bin/python ]] || "$python" -m venv --clear --without-pip "$TARGET"
    UV_COMPILE_BYTECODE=${UV_COMPILE_BYTECODE:-1} uv pip install -q --python "$TARGET/bin/python" \
      --reinstall-package prewire "prewire$extras @ file://$what"
  else
    [[ -x $TARGET/bin/pip ]] || "$python" -m venv --clear "$TARGET"
    "$TARGET/bin/python" -m pip install -q --disable-pip-version-check --root-user-action=ignore \
      "prewire$extras @ file://$what"
  fi
  ln -sf "$TARGET/bin/prewire" /usr/local/bin/prewire
}

install_files() {
  local deploy=$SOURCE/deploy unit
  for unit in "$deploy"/systemd/*.service "$deploy"/systemd/*.target; do
    install -D -m 644 "$unit" "/etc/systemd/system/${unit##*/}"
  done
  install -D -m 644 -t /etc/systemd/system/ovsdb-server.service.d \
    "$deploy/systemd/ovsdb-server.service.d/prewire.conf"
  install -D -m 644 "$deploy/systemd/prewire.sysusers.conf" /etc/sysusers.d/prewire.conf
  install -D -m 644 "$deploy/systemd/prewire.tmpfiles.conf" /etc/tmpfiles.d/prewire.conf
  systemd-sysusers /etc/sysusers.d/prewire.conf
  systemd-tmpfiles --create /etc/tmpfiles.d/prewire.conf
  keep "$deploy/prewire.toml.example" /etc/prewire/prewire.toml
  keep "$deploy/systemd/nib.env" /etc/prewire/nib.env
  install -D -m 644 -t "$TARGET/share/doc/prewire" "$SOURCE"/docs/*.md
  [[ ! -d /run/systemd/system ]] || systemctl daemon-reload
  allow_reading_switches
}

# What the unit of Open vSwitch does from its next start on.
allow_reading_switches() {
  [[ -S /run/openvswitch/db.sock ]] || return 0
  chgrp prewire /run/openvswitch/db.sock && chmod g+rw /run/openvswitch/db.sock
}

# keep SOURCE FILE: FILE as it is, or a copy of SOURCE; the newest SOURCE is beside it as .example.
keep() {
  install -D -m 644 "$1" "$2.example"
  [[ -e $2 ]] || install -m 644 "$1" "$2"
}

[[ $EUID -eq 0 ]] || fail "run it as root"
command -v dpkg-query >/dev/null || fail "this is no Debian or Ubuntu; docs/install.md says how else"
(($# <= 1)) || fail "usage: install.sh [WHEEL]"
install_packages
if (($#)); then
  [[ -f $1 ]] || fail "there is no file $1"
  install_python "$(readlink -f "$1")"
else
  build=$(mktemp -d)
  trap 'rm -rf "$build"' EXIT
  built_from "$build"
  install_python "$build"
fi
install_files
say "installed $("$TARGET/bin/prewire" --version); docs/install.md says how to go on"
