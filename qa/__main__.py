"""`qa` and `python -m qa`."""

from qa.terminal import end_on_interrupt


def main() -> None:
    """The command line, which Ctrl-C ends in one line even while it is still being imported."""
    end_on_interrupt()
    from qa.cli import main as commands

    commands(prog_name="qa")


if __name__ == "__main__":
    main()
