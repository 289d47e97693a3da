"""The `todoke` command, also as `python -m todoke_local`."""

import sys


def main() -> None:
    """Run a command. Ctrl-C ends it in order, even while its imports (over a second of them) are still going on."""
    try:
        from todoke_local.cli import run_command  # noqa: PLC0415 - inside, so that Ctrl-C finds us here

        run_command()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
