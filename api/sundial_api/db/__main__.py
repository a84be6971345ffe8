"""`python -m sundial_api.db`, and the command sundial-database."""

from sundial_kube.commands import run_command


def main() -> None:
    """Run the command."""
    run_command("sundial_api.db.command")


if __name__ == "__main__":
    main()
