"""`python -m sundial_operator`, and the command sundial-operator."""

from sundial_kube.commands import run_command


def main() -> None:
    """Run the command."""
    run_command("sundial_operator.main")


if __name__ == "__main__":
    main()
