"""The entry of the command. It imports nothing: what a command needs is imported where it is needed."""


def main() -> int:
    """Run the command with the words of this process; the answer is its exit code."""
    import sys

    try:
        from .cli import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:  # while the command was being read in, or at its very end
        sys.stderr.write("interrupted\n")
        code = 130
    stops = sys.modules.get("runner.cli.stops")
    if stops is not None:  # the line was one that is not to be cut short at its very end
        stops.over()
    return code


if __name__ == "__main__":
    raise SystemExit(main())
