"""Scripts that ask the command itself what may come next, and its answers where names alone don't do."""

from __future__ import annotations

from ..errors import CallError, RunnerError, UnknownMethod, did_you_mean, nearest
from . import console
from .quick import SHELLS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..spec import Method

_SCRIPTS = {
    "bash": """\
_declarest() {
    local current="${COMP_LINE:0:$COMP_POINT}" words
    read -r -a words <<< "$current"
    [[ "$current" == *" " ]] && words+=("")
    local cut="${COMP_WORDS[COMP_CWORD]}" last="${words[${#words[@]}-1]}"
    mapfile -t COMPREPLY < <(declarest --complete "${words[@]:1}" 2>/dev/null)
    local head="${last%"${cut##*[:=]}"}"
    head="${head%@}"
    [[ "$last" == *[:=]* ]] && COMPREPLY=("${COMPREPLY[@]#"$head"}")
    [[ ${#COMPREPLY[@]} -eq 1 && "${COMPREPLY[0]}" == *[=/] ]] && compopt -o nospace
    return 0
}
complete -o default -F _declarest declarest
""",
    "zsh": """\
#compdef declarest
_declarest() {
    local -a found
    found=("${(@f)$(declarest --complete "${(@)words[2,$CURRENT]}" 2>/dev/null)}")
    [[ -n "${found[1]}" ]] && compadd -- "${found[@]}" || _files
}
if [[ "${funcstack[1]}" == _declarest ]]; then
    _declarest "$@"
else
    (( $+functions[compdef] )) || { autoload -U compinit && compinit; }
    compdef _declarest declarest
fi
""",
    "fish": """\
function __declarest_complete
    set -l words (commandline -opc) (commandline -ct)
    declarest --complete $words[2..-1] 2>/dev/null
end
complete -c declarest -f -a '(__declarest_complete)'
complete -c declarest -n 'string match -q "@*" -- (commandline -ct)' -F
""",
}
_PLACES = {
    "bash": 'eval "$(declarest completion bash)"  in ~/.bashrc',
    "zsh": 'eval "$(declarest completion zsh)"  in ~/.zshrc',
    "fish": "declarest completion fish | source  in ~/.config/fish/config.fish",
}


def completion(argv: list[str]) -> int:
    """`completion SHELL`: the script for a shell."""
    if not argv or argv[0] in {"--help", "-h"}:
        console.answer("declarest completion bash|zsh|fish\n\n")
        for shell in SHELLS:
            console.answer(f"  {_PLACES[shell]}\n")
        return 0
    if argv[0] not in _SCRIPTS:
        near = nearest(argv[0], SHELLS)
        raise CallError(f"no script for {argv[0]!r}", hint=did_you_mean(near) or f"one of {', '.join(SHELLS)}")
    console.answer(_SCRIPTS[argv[0]])
    return 0


def complete(words: list[str]) -> int:
    """What may come next, one a line; silence where nothing is known."""
    from ..catalog import Catalog
    from .quick import candidates

    catalog = Catalog()
    found = candidates(catalog.trees, words)
    if found is None:
        try:
            found = _profiles(words) if _wants_profile(words) else _of_method(catalog, words)
        except RunnerError:
            found = []
    console.answer("".join(f"{word}\n" for word in found))
    return 0


def _wants_profile(words: list[str]) -> bool:
    """Whether the name of a profile is wanted: after --profile, and as the second word of some commands."""
    names = [word for word in words[:-1] if not word.startswith("-")]
    return words[-2:-1] == ["--profile"] or (
        not words[-1].startswith("-") and len(names) == 2 and names[0] in {"login", "logout"}  # noqa: PLR2004
    )


def _profiles(words: list[str]) -> list[str]:
    """The profiles of the service that a line names, else all."""
    from .. import profiles

    services = profiles.services()
    named = [word for word in words[:-1] if word in services] or services
    return [name for service in named for name in profiles.names(service) if name.startswith(words[-1])]


def _of_method(catalog: object, words: list[str]) -> list[str]:
    """The flags of a method, or the values of one."""
    from .. import arguments
    from ..catalog import Catalog
    from .dialect import method_of
    from .words import SWITCHES, VALUES, flags_of

    assert isinstance(catalog, Catalog)  # noqa: S101 - for the type checker
    *before, current = words
    if before[-1] in {"--output", "-o"}:
        from ..output import FORMS

        return [form for form in FORMS if form.startswith(current)]
    names = [word for word in before[:2] if not word.startswith("-")]
    service = names[0] if names and names[0] in catalog.services() else ""
    if not service:
        service, names = catalog.owner(names[0]) if names else "", ["", *names]
    if not service or len(names) < 2:  # noqa: PLR2004 - service and method
        return [flag for flag in (*SWITCHES, *VALUES) if current.startswith("-") and flag.startswith(current)]
    try:
        command = catalog.command(service, names[1])
        method = catalog.method(service, method_of(command) if command else names[1])
    except UnknownMethod:
        return []
    param = arguments.by_flag(method, before[-1]) if before[-1].startswith("-") else None
    if param is not None:
        known = arguments.known_values(param.schema, method.schema.get("$defs", {}))
        return [*(word for word in known if word and word.lower().startswith(current.lower())), *_files(current)]
    if current.startswith("-"):
        own = command["flags"] if command else ()
        more = flags_of(method) if command is None or "call" in command else ()
        every = dict.fromkeys([*own, *more, *SWITCHES, *VALUES])
        return [flag for flag in every if flag.startswith(current)]
    return _values(method, current) if "=" in current else _names(method, current)


def _names(method: Method, current: str) -> list[str]:
    """The names of params, and behind a dot the keys of an object: fields.TITLE=."""
    from .. import arguments
    from ..node import resolved

    outer, dot, start = current.rpartition(".")
    known: Iterable[str] = method.params
    if dot:
        node = arguments.node_at(method, arguments.steps(outer))
        known = resolved(node, method.schema.get("$defs", {})).get("properties", {})
    return [f"{outer}{dot}{name}=" for name in known if name.lower().startswith(start.lower())]


def _values(method: Method, current: str) -> list[str]:
    """What may stand behind the sign of name=value: known values, and files behind @."""
    from .. import arguments

    found = arguments.split(current)
    path, sign, text = found or ([""], "", "")
    head = current.removesuffix(text)
    node = arguments.node_at(method, path)
    known = arguments.known_values(node, method.schema.get("$defs", {})) if sign == "=" else []
    return [*(f"{head}{word}" for word in known if word.lower().startswith(text.lower())), *_files(text, head)]


def _files(text: str, head: str = "") -> list[str]:
    """The files and folders that begin like a word behind @."""
    if not text.startswith("@"):
        return []
    import glob
    import os

    found = sorted(glob.glob(f"{glob.escape(text[1:])}*"))
    return [f"{head}@{name}{os.sep if os.path.isdir(name) else ''}" for name in found]
