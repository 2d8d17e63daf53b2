#!/usr/bin/env bash
# A service and two containers behind it; the switch shares out connections.
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
undo() { away services/hello; }

bridge
host client-1 10.9.1.1
container hello-1 10.9.1.11
container hello-2 10.9.1.12

say "A service is a VIP and a port; a container says where it is by its interface's iface-id."
quietly prewire service set hello --vip 10.9.1.100 --port 80
quietly prewire container set hello hello-1 --address 10.9.1.11 --port 8080 \
  --iface-id hello-1 --wait
quietly prewire container set hello hello-2 --address 10.9.1.12 --port 8080 \
  --iface-id hello-2 --wait
try prewire container list hello

say "Forty connections: each goes to the container whose slot its hash is."
try ask client-1 10.9.1.100 40
