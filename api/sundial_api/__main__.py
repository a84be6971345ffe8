"""`python -m sundial_api`, and the command sundial-api."""

from sundial_kube.commands import run_command


def main() -> None:
    """Run the command."""
    run_command("sundial_api.main")


if __name__ == "__main__":
    main()
