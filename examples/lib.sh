# What the examples share: a bridge, hosts on it, and leaving nothing behind.
#
# Sourced by each run.sh. Expects root, Open vSwitch, and `prewire up` in another terminal.
# shellcheck shell=bash
set -Eeuo pipefail

BRIDGE=examples
SWITCH=00000000000000e1
API=${PREWIRE_API:-http://127.0.0.1:8686}
TOKEN_FILE=${PREWIRE_TOKEN_FILE:-/var/lib/prewire/admin.token}
FILES=$(mktemp -d)
HOSTS=()

trap 'echo "failed: $BASH_COMMAND" >&2' ERR
trap finish EXIT

# say TEXT: what comes next.
say() { printf '\n# %s\n' "$*"; }

# try COMMAND…: show it, then run it.
try() {
  printf '$ %s\n' "$*"
  "$@"
}

# quietly COMMAND…: the same without what it prints.
quietly() {
  printf '$ %s\n' "$*"
  "$@" >/dev/null
}

# refused COMMAND…: show it and run it; it has to fail.
refused() {
  printf '$ %s\n' "$*"
  if "$@" 2>&1; then return 1; fi
}

# bridge: one in the userspace datapath, connected to prewire; stays for the next example.
bridge() {
  ovs-vsctl br-exists "$BRIDGE" && return
  say "A bridge, and prewire as its controller"
  ovs-vsctl add-br "$BRIDGE" -- set Bridge "$BRIDGE" datapath_type=netdev fail_mode=secure \
    other_config:datapath-id="$SWITCH" -- set-controller "$BRIDGE" tcp:127.0.0.1:6653
  once " yes " prewire switch list
}

# host NAME ADDRESS: a network namespace behind a port of the bridge.
host() {
  ip netns add "$1"
  HOSTS+=("$1")
  ip link add "$1" type veth peer name eth0 netns "$1"
  ip -n "$1" addr add "$2/24" dev eth0
  ip -n "$1" link set eth0 up
  ip -n "$1" link set lo up
  ip link set "$1" up
  ip netns exec "$1" ethtool -K eth0 tx off >/dev/null # a veth leaves checksums to hardware
  ovs-vsctl --may-exist add-port "$BRIDGE" "$1" -- set Interface "$1" external_ids:iface-id="$1" \
    external_ids:attached-mac="$(ip netns exec "$1" cat /sys/class/net/eth0/address)"
}

# container NAME ADDRESS: a host that serves HTTP at port 8080 and says its name.
container() {
  host "$@"
  mkdir -p "$FILES/$1"
  echo "I am $1" >"$FILES/$1/index.html"
  ip netns exec "$1" python3 -m http.server 8080 --directory "$FILES/$1" >/dev/null 2>&1 &
}

# ask HOST VIP TIMES: answers to so many connections of a host, each with how often it came.
ask() {
  ip netns exec "$1" curl -sS -m 5 --retry 5 --retry-all-errors "http://$2/?[1-$3]" | sort | uniq -c
}

# once TEXT COMMAND…: what the command prints, once that matches TEXT; for 20 seconds at most.
once() {
  local text=$1 end=$((SECONDS + 20)) said
  shift
  until said=$("$@" 2>&1) && grep -qE -- "$text" <<<"$said"; do
    if ((SECONDS > end)); then
      printf 'never said %s:\n%s\n' "$text" "$said" >&2
      return 1
    fi
    sleep 0.2
  done
  printf '$ %s\n%s\n' "$*" "$said"
}

# away PATH…: delete objects by REST, as in services/web: to leave nothing behind.
away() {
  local path token=()
  [[ -r $TOKEN_FILE ]] && token=(-H "Authorization: Bearer $(<"$TOKEN_FILE")")
  for path in "$@"; do
    curl -sS "${token[@]}" -X DELETE "$API/v1/$path"
  done
}

# What an example takes back in the end.
undo() { :; }

finish() {
  local code=$? name
  set +e
  undo >/dev/null 2>&1
  for name in "${HOSTS[@]}"; do
    ovs-vsctl --if-exists del-port "$BRIDGE" "$name"
    ip netns pids "$name" | xargs -r kill
    ip netns del "$name"
  done
  rm -rf "$FILES"
  exit "$code"
}
