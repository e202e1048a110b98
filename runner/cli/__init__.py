"""The command: words in, an answer on standard output, an exit code.

quick                 what must be there at once: the version, completion, search
main  words  connect  the line as a whole; its words, sorted; the client that it asks for
call  many  dialect   one method called; for several accounts at once; by the name that another tool has for it
export  progress      rows written or printed; how far that is
batch                 a file of calls
bulk  report          one method called for every row of a file; what became of the rows
stops                 signals that end a run in order
help  show            what there is, and what it takes
lint  new             files of one's own
completion            scripts for shells
login  ways  browser  a connection asked for, checked, kept; the ways to sign in; a page in the browser
ask                   questions to a person
profiles              what is kept, and forgetting it
sandbox               the service on this machine
console               standard streams, colours, errors shown
"""

from __future__ import annotations

import os
import sys


def run(argv: list[str]) -> int:
    """Run a command line. Nothing is imported that the line at hand does not need."""
    if not _streams(argv):
        return 2
    try:
        code = _at_once(argv)
        sys.stdout.flush()
    except OSError as error:
        from .console import lost

        return lost(error)
    if code is not None:
        return code
    from .main import main

    return main(argv)


def _at_once(argv: list[str]) -> int | None:
    """The exit code of what needs next to nothing; None where more is needed."""
    if argv in (["--version"], ["-V"]):
        from .. import __version__

        print(f"declarest {__version__}")  # noqa: T201 - the answer
        return 0
    if argv[:1] in (["find"], ["--complete"]):
        from .quick import answer

        return answer(argv)
    return None


def _streams(argv: list[str]) -> bool:
    """Make the standard streams fit to write on; no, where an answer would have no place to go."""
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - open for as long as the process
    if sys.stdout is None and not any(word.partition("=")[0] == "--out" for word in argv):
        sys.stderr.write("error: standard output is closed; give --out FILE, or send it to /dev/null\n")
        return False
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    return True
