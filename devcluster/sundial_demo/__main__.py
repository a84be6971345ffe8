"""`python -m sundial_demo`, run by `make demo`."""

from sundial_demo.main import main

main()
