"""`python -m prewire` is the command `prewire`."""

from prewire.cli import main

main()
