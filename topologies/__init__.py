"""Emulated networks for the demo, the tests and the benchmarks.

`spec` says what a network is, `shapes` makes some of several switches, `mininet_net` runs them,
`fabric` breaks and mends what runs, `openvswitch` makes sure a switch daemon is there; `dpdk` runs
them on an Open vSwitch of its own with DPDK ports. This room knows at most the NIB and never the
controller.
"""
