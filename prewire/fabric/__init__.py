"""The fabric as an operator sees it: links, stations, and what can be forgotten of it."""
