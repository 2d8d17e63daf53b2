"""`python -m prewire.docs`: writes the generated parts of the documentation, or checks them."""

import sys

from prewire.docs.writing import main

sys.exit(main(sys.argv[1:]))
