"""Two services under the same surges, one planned ahead and one by the load of now alone: the
closed loop on a network of this machine, as it is shown by `prewire demo` and tested.
"""
