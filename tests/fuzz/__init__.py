"""Every parser of bytes from outside, as targets of one table that two fuzzers share.

`python -m tests.fuzz` has atheris (libFuzzer) go after coverage, each target in a process of its
own; `tests/property/test_outside_bytes.py` has Hypothesis try the same targets in `make check`.
A target fails by an exception that is not its parser's documented error, by taking too long, and by
taking too much memory.
"""
