"""`python -m sundial_api.importing`, and the command sundial-import."""

from sundial_kube.commands import run_command


def main() -> None:
    """Run the command."""
    run_command("sundial_api.importing.command")


if __name__ == "__main__":
    main()
