#!/usr/bin/env bash
# A container registers itself, with a token that is good for its own service only.
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
undo() { away services/mail services/bank tokens/mail-platform; }

bridge
quietly prewire service set mail --vip 10.9.9.100 --port 80
quietly prewire service set bank --vip 10.9.9.101 --port 80
container mail-1 10.9.9.11

say "The secret is shown once; prewire keeps its hash."
secret=$(prewire token create mail-platform --role registrar --service mail --expires 1h)
try prewire token list

# register SERVICE: what a platform does for its container, by HTTP.
register() {
  curl -sS -o /dev/null -w "$1: %{http_code}\n" -X PUT "$API/v1/services/$1/containers/mail-1?wait=applied" \
    -H "Authorization: Bearer $secret" -H 'Content-Type: application/json' \
    -d '{"address": "10.9.9.11", "port": 8080, "iface_id": "mail-1", "lease_seconds": 30}'
}

say "It registers at its own service, and nowhere else."
try register mail
try register bank

say "Without it, nothing is told."
curl -sS -o /dev/null -w '%{http_code}\n' "$API/v1/services"

say "A token that is deleted is refused at once."
quietly prewire token delete mail-platform
try register mail
