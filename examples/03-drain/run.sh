#!/usr/bin/env bash
# A container leaves while a client downloads from it: the download is not cut, new ones go elsewhere.
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
undo() { away services/files; }

bridge
host client-3 10.9.3.1
container files-1 10.9.3.11
container files-2 10.9.3.12
head -c 8000000 /dev/zero >"$FILES/files-1/big"

say "One container, and a client that reads 8 MB of it slowly."
quietly prewire service set files --vip 10.9.3.100 --port 80
quietly prewire container set files files-1 --address 10.9.3.11 --port 8080 \
  --iface-id files-1 --wait
ip netns exec client-3 curl -sS --retry 5 --retry-all-errors --limit-rate 1M -o "$FILES/copy" http://10.9.3.100/big &
download=$!

say "A second container comes, the first is taken out of service."
quietly prewire container set files files-2 --address 10.9.3.12 --port 8080 \
  --iface-id files-2 --wait
quietly prewire container delete files files-1 --drain 30 --wait
try prewire container list files
try ask client-3 10.9.3.100 5

say "The download goes on; its container says when nothing is left."
wait "$download"
try cmp "$FILES/copy" "$FILES/files-1/big"
once "safe_to_stop +(True|yes)" prewire container show files files-1
