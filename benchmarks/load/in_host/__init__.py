"""Programs that run inside the hosts of a network, by path; they import nothing of ours."""
