"""The command: words in, an answer on standard output, an exit code.

quick        what must be there at once: the version, completion, search
words        the words of a line, sorted
call         one method called
batch        a file of calls
help  show   what there is, and what it takes
lint  new    files of one's own
completion   scripts for shells
sandbox      the service on this machine
console      standard streams, colours, errors shown
"""

from __future__ import annotations


def run(argv: list[str]) -> int:
    """Run a command line. Nothing is imported that the line at hand does not need."""
    if argv in (["--version"], ["-V"]):
        from .. import __version__

        print(f"declarest {__version__}")  # noqa: T201 - the answer
        return 0
    if argv[:1] in (["find"], ["--complete"]):
        from .quick import answer

        code = answer(argv)
        if code is not None:
            return code
    from .main import main

    return main(argv)
