#!/usr/bin/env bash
# What is wanted, as a file: the difference is shown first, then all of it is done or nothing.
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
undo() { away schedules/morning services/shop/scaling policies/to-shop services/shop; }

here=$(dirname "${BASH_SOURCE[0]}")

say "What applying would change; exit code 3 says that there is something."
refused prewire plan -f "$here/shop.yaml"

say "Do it. A second time changes nothing."
try prewire apply -f "$here/shop.yaml"
try prewire plan -f "$here/shop.yaml"

say "Another limit, and a service that is wrong: nothing is changed, the field is named."
sed 's/max_bps: 50M/max_bps: 80M/; s/10.9.7.100/10.9.7/' "$here/shop.yaml" >"$FILES/wrong.yaml"
refused prewire apply -f "$FILES/wrong.yaml"

say "Without the mistake: one field differs."
sed 's/max_bps: 50M/max_bps: 80M/' "$here/shop.yaml" >"$FILES/right.yaml"
refused prewire plan -f "$FILES/right.yaml"
try prewire apply -f "$FILES/right.yaml"
