"""The entry of the command. It imports nothing: what a command needs is imported where it is needed."""


def main() -> int:
    """Run the command with the words of this process; the answer is its exit code."""
    import sys

    from .cli import run

    return run(sys.argv[1:])


if __name__ == "__main__":
    raise SystemExit(main())
