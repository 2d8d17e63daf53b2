#!/usr/bin/env bash
# A schedule wants three containers; whoever starts containers is told, and here that is this script.
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
undo() { away overrides/service/lunch schedules/noon services/lunch; }

# start NUMBER: what a platform does when it is asked for a container.
start() {
  container "lunch-$1" "10.9.5.1$1"
  quietly prewire container set lunch "lunch-$1" --address "10.9.5.1$1" --port 8080 \
    --iface-id "lunch-$1"
}

bridge
host client-5 10.9.5.1
quietly prewire service set lunch --vip 10.9.5.100 --port 80
start 1

say "Containers follow the load; besides, the schedule wants three at any time (55 11 * * 1-5 would be lunch)."
quietly prewire scaling set lunch --max 10
quietly prewire schedule set noon --service lunch --cron "* * * * *" --for 1m --containers 3
once requested prewire prewarm list --service lunch

say "Start what is missing. The request is ready when they are registered and healthy."
start 2
start 3
once lunch prewire prewarm list --service lunch --state ready
try ask client-5 10.9.5.100 30

say "An operator's word wins for a while, and ends by itself."
quietly prewire override set service lunch --containers 1 --for 10m --reason "holiday"
once holiday prewire plans
