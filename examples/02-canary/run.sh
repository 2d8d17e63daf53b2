#!/usr/bin/env bash
# A new version gets a tenth of the connections, then half, and then none again.
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
undo() { away services/menu; }
shares() { prewire container list menu | awk '{ printf "%-8s %s/%s\n", $1, $7, $8 }'; }

bridge
host client-2 10.9.2.1
container menu-1 10.9.2.11
container menu-2 10.9.2.12

say "Version v2 is due a tenth of all new connections, whatever the weights are."
quietly prewire service set menu --vip 10.9.2.100 --port 80 --canary v2 --canary-percent 10
quietly prewire container set menu menu-1 --address 10.9.2.11 --port 8080 \
  --iface-id menu-1 --version v1
quietly prewire container set menu menu-2 --address 10.9.2.12 --port 8080 \
  --iface-id menu-2 --version v2 --wait
try shares

say "Half, at once; --canary-step and --canary-step-every would go there in steps."
quietly prewire service set menu --vip 10.9.2.100 --port 80 --canary v2 --canary-percent 50 --wait
try shares
try ask client-2 10.9.2.100 40

say "Back: new connections go to v1 alone, established ones stay where they are."
quietly prewire service set menu --vip 10.9.2.100 --port 80 --canary v2 --canary-percent 0 --wait
try ask client-2 10.9.2.100 10
