"""Reads `prewire watch containers -o json`; says how feed-1 stands, each time that changes."""

import json
import sys

before = ""
for line in sys.stdin:
    event = json.loads(line)
    if event.get("key") != "feed/feed-1":
        continue
    now = "gone" if event["event"] == "delete" else event["object"]["state"]
    if now != before:
        print(f"feed-1 is {now}")  # noqa: T201 - that is its job
    before = now
