"""New files as they begin: the text of a method and of a service, to be filled in by whoever writes them."""

from __future__ import annotations


def method(service: str, name: str, schema: str) -> str:
    """The text of a new method's file."""
    base, _, variant = name.partition("@")
    last = base.rpartition(".")[2].lower()
    effect = (
        "read" if last in {"get", "list", "fields", "search", "current"} else "destroy" if last == "delete" else "write"
    )
    lines = [
        f"# yaml-language-server: $schema={schema}",
        f"method: {base}",
        *([f"variant: {variant}"] if variant else []),
        f"summary: Say in one line what {base} does",
        f"effect: {effect}",
        "",
        "params:",
        "  id: {type: integer, minimum: 1, description: Say what it is}",
        "  title: {type: string}",
        "",
        "required: [id]",
        "",
        "examples:",
        "  - params: {id: 1, title: First}",
        "    response: {result: true}" if service else "    response: true",
    ]
    return "\n".join(lines) + "\n"


def service(service: str, schema: str) -> str:
    """The text of a new service's file."""
    return f"""\
# yaml-language-server: $schema={schema}
spec: 1
service: {service}
title: {service.capitalize()}

profile:
  properties:
    server: {{type: string, format: uri, description: "Address of the service, such as https://api.example.com"}}
    token: {{type: string, writeOnly: true, description: What the service calls a token or a key}}

auth:
  token:
    needs: [server, token]
    base: "{{server}}/"
    send: {{header: {{Authorization: "Bearer {{token}}"}}}}

request: {{verb: POST, path: "{{method}}", in: body}}

response:
  result: result
  error: {{when: error, code: error.code, message: error.message}}

sandbox:
  credentials: {{server: "http://{{host}}", token: sandbox}}
"""
