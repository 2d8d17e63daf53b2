"""Emulated networks for the demo, the tests and the benchmarks.

`spec` says what a network is, `mininet_net` runs it, `openvswitch` makes sure a switch daemon is
there. This room knows at most the NIB and never the controller.
"""
