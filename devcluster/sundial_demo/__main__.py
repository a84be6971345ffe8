"""`python -m sundial_demo`, run by `make demo`."""

from sundial_devcluster.commands import run_command


def main() -> None:
    """Run the command."""
    run_command("sundial_demo.main")


if __name__ == "__main__":
    main()
