#!/usr/bin/env bash
# Brings a Debian 12 or Ubuntu 24.04 machine to where `make` needs it. Does only what is missing.
#
#   scripts/setup.sh system   packages by apt (root); no service is left running
#   scripts/setup.sh peers    more packages: what benchmarks and faults need (root)
#   scripts/setup.sh venv     .venv with prewire and the tools of a developer
#   scripts/setup.sh ryu      .venv-ryu with classic Ryu 4.34 and prewire
#
# Several may be named at once. PYTHON chooses the interpreter (3.11 or later). Python packages are
# installed by uv, which pip installs first; with PREWIRE_UV=0, or where uv fails, by pip itself.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

PACKAGES=(
  openvswitch-switch mininet nginx-light prometheus wrk iperf3
  openvswitch-switch-dpdk "librte-net-af-packet*" "librte-mempool-ring*"
  libgomp1 ethtool iproute2 net-tools iputils-ping procps util-linux curl ca-certificates python3-venv
  chromium chromium-driver systemd
)
# What prewire is compared with, and what turns the clocks of processes in `make chaos`.
PEERS=(haproxy ovn-central ovn-host libnginx-mod-stream gcc libc6-dev)
STAMPS=.setup
LOG=$STAMPS/setup.log
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_ROOT_USER_ACTION=ignore

fail() {
  echo "setup: $*" >&2
  exit 1
}

# step WHAT COMMAND…: run it into the log, say what was done and how long it took.
step() {
  local what=$1 began=$SECONDS
  shift
  if ! "$@" >>"$LOG" 2>&1; then
    tail -n 30 "$LOG" >&2
    fail "$what failed; the whole output is in $LOG"
  fi
  echo "setup: $what ($((SECONDS - began)) s)"
}

# ---- system packages

# missing_packages PACKAGE…: those of them that are not installed.
missing_packages() {
  local package
  for package in "$@"; do
    dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed ||
      echo "$package"
  done
}

# Names of DPDK's drivers end in a number of its release: those that go with package dpdk.
package_names() {
  local package
  for package in "$@"; do
    case $package in
      *\*) apt-cache depends dpdk | grep -oE "${package%\*}[0-9][0-9a-z]*" | sort -u ;;
      *) echo "$package" ;;
    esac
  done
}

install_packages() {
  # For the length of the installation, policy-rc.d tells the packages to start no service.
  local policy=/usr/sbin/policy-rc.d made=no rc=0 names
  if [[ ! -e $policy ]]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    made=yes
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
  fi
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -q && mapfile -t names < <(package_names "$@") &&
    apt-get install -q -y --no-install-recommends -o DPkg::Lock::Timeout=300 "${names[@]}" || rc=$?
  if [[ $made == yes ]]; then
    rm -f "$policy"
    trap - EXIT
  fi
  return "$rc"
}

# The machine's Open vSwitch stays the ordinary one when that on DPDK comes beside it.
keep_ordinary_switch() {
  local ordinary=/usr/lib/openvswitch-switch/ovs-vswitchd
  [[ " $* " == *" openvswitch-switch-dpdk "* && -x $ordinary ]] || return 0
  [[ $(readlink -f /usr/sbin/ovs-vswitchd) == "$ordinary" ]] ||
    update-alternatives --set ovs-vswitchd "$ordinary"
}

# Nor shall services that came with the packages start at the next boot.
disable_services() {
  local package unit
  [[ -d /run/systemd/system ]] || return 0
  for package in "$@"; do
    unit=${package%-light}.service
    case $package in
      nginx-light | prometheus | haproxy | ovn-central | ovn-host)
        ! systemctl cat "$unit" || systemctl disable --now "$unit"
        ;;
    esac
  done
}

# setup_packages PACKAGE…
setup_packages() {
  local missing
  command -v dpkg-query >/dev/null || fail "this is no Debian or Ubuntu; install by hand: $*"
  mapfile -t missing < <(missing_packages "$@")
  ((${#missing[@]})) || return 0
  [[ $EUID -eq 0 ]] || fail "as root: apt-get install ${missing[*]}"
  step "installed ${missing[*]}" install_packages "${missing[@]}"
  keep_ordinary_switch "${missing[@]}" >>"$LOG" 2>&1 || fail "cannot keep ovs-vswitchd; see $LOG"
  disable_services "${missing[@]}" >>"$LOG" 2>&1 || fail "cannot disable services; see $LOG"
}

# ---- Python environments

# python_where TEST: the first interpreter, of PYTHON or those on PATH, for which TEST holds.
python_where() {
  local candidate
  for candidate in ${PYTHON:-python3 python3.11 python3.12 python3.13 /usr/bin/python3}; do
    if "$candidate" -c "import sys, venv, ensurepip; sys.exit(not ($1))" 2>/dev/null; then
      "$candidate" -c 'import sys; print(sys.executable)'
      return 0
    fi
  done
  return 1
}

# A stamp holds a hash of all that decides what an environment contains.
wanted() {
  { "$1" -VV && sha256sum setup.cfg pyproject.toml scripts/setup.sh && pwd; } | sha256sum
}

is_done() {
  [[ -x $1/bin/python && -f $STAMPS/$2 && $(<"$STAMPS/$2") == "$3" ]]
}

# get_uv PYTHON: uv in .setup/uv, as UV. Fails where it cannot be had.
get_uv() {
  UV=$STAMPS/uv/bin/uv
  [[ ${PREWIRE_UV:-1} != 0 ]] || return 1
  [[ -x $UV ]] || install_uv "$1" >>"$LOG" 2>&1 || return 1
  # uv does not read pip's configuration.
  local index certificate
  index=$("$1" -m pip config get global.index-url 2>/dev/null) || index=${PIP_INDEX_URL:-}
  certificate=$("$1" -m pip config get global.cert 2>/dev/null) || certificate=${PIP_CERT:-}
  [[ -z $index ]] || export UV_DEFAULT_INDEX=${UV_DEFAULT_INDEX:-$index}
  [[ -z $certificate ]] || export SSL_CERT_FILE=${SSL_CERT_FILE:-$certificate}
}

# Debian's Python may have no pip of its own; a virtual environment always has.
install_uv() {
  local made=
  if ! "$1" -m pip --version; then
    "$1" -m venv --clear "$STAMPS/pip" || return
    made=$STAMPS/pip/bin/python
  fi
  "${made:-$1}" -m pip install -q --no-compile --upgrade --target "$STAMPS/uv" uv
}

# make_environment DIRECTORY PYTHON: an empty virtual environment, with a pip of its own.
make_environment() {
  if get_uv "$2"; then
    "$2" -m venv --clear --without-pip "$1" && packages_into "$1" pip
  else
    "$2" -m venv --clear "$1"
  fi
}

# packages_into DIRECTORY WHAT…: arguments of `pip install` that uv knows too.
packages_into() {
  local into=$1
  shift
  if get_uv "$into/bin/python"; then
    "$UV" pip install --no-progress --python "$into/bin/python" "$@" && return 0
    echo "uv failed; now pip"
    [[ -x $into/bin/pip ]] || "$into/bin/python" -m ensurepip
  fi
  "$into/bin/python" -m pip install -q --no-compile "$@"
}

setup_venv() {
  local python stamp
  python=$(python_where "sys.version_info >= (3, 11)") ||
    fail "no Python 3.11 or later with venv found; install python3-venv or set PYTHON"
  stamp=$(wanted "$python")
  ! is_done .venv venv "$stamp" || return 0
  rm -f "$STAMPS/venv"
  step "made .venv with $("$python" -V)" make_environment .venv "$python"
  step "installed prewire and its tools" packages_into .venv -e '.[dev]'
  echo "$stamp" >"$STAMPS/venv"
}

# Everything prewire needs but the other framework, read from setup.cfg.
own_requirements() {
  "$1" - <<'PYTHON'
import configparser

config = configparser.ConfigParser()
config.read("setup.cfg")
needs = config["options"]["install_requires"].split("\n")
forecasts = ("numpy", "scipy", "grpcio", "protobuf", "cronsim", "cloudevents")  # no controller's
print("\n".join(need for need in needs if need and not need.startswith(("os-ken", *forecasts))))
PYTHON
}

# built_with FILE COMMAND…: packages that COMMAND builds are built under these constraints.
built_with() (
  export PIP_CONSTRAINT=$1 PIP_BUILD_CONSTRAINT=$1 UV_BUILD_CONSTRAINT=$1
  "${@:2}"
)

setup_ryu() {
  local python stamp old="$PWD/$STAMPS/ryu-build.txt"
  python=$(python_where "(3, 11) <= sys.version_info < (3, 13)") ||
    fail "classic Ryu 4.34 needs Python 3.11 or 3.12; install one or set PYTHON"
  stamp=$(wanted "$python")
  ! is_done .venv-ryu ryu "$stamp" || return 0
  rm -f "$STAMPS/ryu"
  # Ryu's build calls what setuptools 67 no longer has; Python 3.12 cannot load those before 66.1.
  echo 'setuptools>=66.1,<67' >"$old"
  own_requirements "$python" >"$STAMPS/ryu-needs.txt"
  step "made .venv-ryu with $("$python" -V)" make_environment .venv-ryu "$python"
  # Ryu's requirement files ask for an eventlet that no current Python runs, hence --no-deps.
  step "installed classic Ryu 4.34" \
    built_with "$old" packages_into .venv-ryu --no-deps ryu==4.34
  step "installed what Ryu and prewire need" packages_into .venv-ryu \
    eventlet msgpack netaddr oslo.config ovs routes six tinyrpc webob pytest \
    -r "$STAMPS/ryu-needs.txt"
  step "installed prewire beside Ryu" packages_into .venv-ryu --no-deps -e .
  echo "$stamp" >"$STAMPS/ryu"
}

# ---- what was asked for

(($#)) || fail "say what to set up: system, peers, venv, ryu"
mkdir -p "$STAMPS"
exec 9>"$STAMPS/lock"
flock 9 # one at a time
: >"$LOG"
for what in "$@"; do
  case $what in
    system) setup_packages "${PACKAGES[@]}" ;;
    peers) setup_packages "${PEERS[@]}" ;;
    venv) setup_venv ;;
    ryu) setup_ryu ;;
    *) fail "unknown: $what (system, peers, venv, ryu)" ;;
  esac
done
