"""Policies that say how many containers there are to be: one file each."""
