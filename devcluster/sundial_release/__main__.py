"""`python -m sundial_release`, run by `make release` and `make release-dry-run`."""

from sundial_devcluster.commands import run_command


def main() -> None:
    """Run the command."""
    run_command("sundial_release.command")


if __name__ == "__main__":
    main()
