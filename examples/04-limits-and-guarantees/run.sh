#!/usr/bin/env bash
# What a service sends is limited by meters in the switch; what is guaranteed is admitted or refused.
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
undo() { away policies/from-store policies/to-store "link-rates/$BRIDGE/store-1" services/store; }
speed() { ip netns exec client-4 curl -sS -o /dev/null -w '%{time_total} s\n' http://10.9.4.100/big; }

bridge
host client-4 10.9.4.1
container store-1 10.9.4.11
head -c 3000000 /dev/zero >"$FILES/store-1/big"
quietly prewire service set store --vip 10.9.4.100 --port 80
quietly prewire container set store store-1 --address 10.9.4.11 --port 8080 \
  --iface-id store-1 --wait

say "3 MB without a limit, and with 10 Mbit/s and a burst of a second of it."
try speed
quietly prewire policy set from-store --from store --max 10M --wait
try speed

say "A port of 100 Mbit/s: what it can carry beside the other classes can be guaranteed, more cannot."
quietly prewire link-rate set "$BRIDGE" store-1 100M
quietly prewire policy set to-store --to store --class interactive --guarantee 30M --wait
refused prewire policy set to-store --to store --class interactive --guarantee 90M
try prewire bandwidth
