"""`python -m sundial_api`."""

from sundial_api.main import main

main()
