"""`python -m sundial_devcluster`."""

from sundial_devcluster.commands import run_command


def main() -> None:
    """Run the command."""
    run_command("sundial_devcluster.command")


if __name__ == "__main__":
    main()
