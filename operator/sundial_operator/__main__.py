"""`python -m sundial_operator`."""

from sundial_operator.main import main

main()
