#!/usr/bin/env bash
# A surge at one service prewarms the one that it is going to call.
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
undo() { away dependencies/browse/buy services/browse services/buy; }

bridge
host client-6 10.9.6.1
container browse-1 10.9.6.11
container buy-1 10.9.6.12
quietly prewire service set browse --vip 10.9.6.100 --port 80
quietly prewire service set buy --vip 10.9.6.101 --port 80
quietly prewire container set browse browse-1 --address 10.9.6.11 --port 8080 \
  --iface-id browse-1
quietly prewire container set buy buy-1 --address 10.9.6.12 --port 8080 --iface-id buy-1
quietly prewire scaling set buy

say "Between services with a policy dependencies are learned; what is known already is pinned."
quietly prewire dependency pin browse buy --lag 2s
try prewire dependency list

say "Browse gets requests; nobody has called buy yet."
while :; do ask client-6 10.9.6.100 20; done >/dev/null 2>&1 &
once dependency prewire plans
kill $!
