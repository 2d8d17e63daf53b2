"""`python -m tests.chaos`: faults of every kind, one after the other, under writes and traffic.

All processes and switches are real. Afterwards every switch holds what is wanted, no acknowledged
write is lost, and no connection but those of containers that died.
"""
