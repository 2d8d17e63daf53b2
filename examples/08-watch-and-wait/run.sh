#!/usr/bin/env bash
# A script that waits for what it needs, and is told of what changes, instead of asking again and again.
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
undo() {
  kill ${watcher:-} ${waiter:-} # what has begun of them
  away services/feed
}

bridge
quietly prewire service set feed --vip 10.9.8.100 --port 80

say "One is told of each change, one waits for a container that is not there yet."
prewire watch containers -o json >"$FILES/changes" &
watcher=$!
prewire wait container/feed/feed-1 --for ready --timeout 30s &
waiter=$!

say "Somebody else registers it."
container feed-1 10.9.8.11
quietly prewire container set feed feed-1 --address 10.9.8.11 --port 8080 --iface-id feed-1
wait "$waiter"

say "It leaves. What is not there, is gone."
quietly prewire container delete feed feed-1 --drain 0
try prewire wait container/feed/feed-1 --for gone

say "A time that is over is exit code 4."
code=0
prewire wait service/feed --for gone --timeout 0.5s || code=$?
[[ $code == 4 ]]

say "What the watcher was told"
kill "$watcher"
python3 "$(dirname "${BASH_SOURCE[0]}")/states.py" <"$FILES/changes"
