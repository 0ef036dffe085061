"""Pieces of the OpenAPI description that routes share, and the page that shows it.

The usual page loads a program from somebody else's server. Ours is plain HTML made here, so it works
offline and tells nobody who reads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from pydantic import BaseModel

from web.schemas import ErrorAnswer

_MEANING = {
    400: "The body cannot be read.",
    401: "No valid API key was sent.",
    404: "There is no such thing, or it belongs to another account.",
    405: "The address is right, the method is not; `Allow` names those that are.",
    409: "The room does not allow it now; `errors[0].name` is the reason's slug.",
    413: "The body is too large.",
    415: "The body is neither JSON nor a form.",
    422: "Some fields cannot be accepted; `errors` names each.",
    502: "The payment provider refused.",
    503: "The database cannot be reached; try again after `Retry-After` seconds.",
}


def errors_of(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that may answer with these errors."""
    return {status: {"model": ErrorAnswer, "description": _MEANING[status]} for status in statuses}


def body_of(model: type[BaseModel], *, example: Mapping[str, Any], required: bool = True) -> dict[str, Any]:
    """The `openapi_extra` of a route that reads these fields from JSON or a form. `example` is JSON's."""
    schema = _inlined(model.model_json_schema())
    form = {"schema": form_schema(schema), "example": form_example(example)}
    content = {
        "application/json": {"schema": schema, "example": dict(example)},
        "application/x-www-form-urlencoded": form,
        "multipart/form-data": form,
    }
    return {"requestBody": {"required": required, "content": content}}


def form_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The same fields in the bracket style: `settings[phonegateway_enabled]`, `kinds[]`,
    `attendees[0][email]`. A form has no null.
    """
    found: dict[str, Any] = {}
    needed: list[str] = []

    def walk(name: str, part: Mapping[str, Any], *, required: bool) -> None:
        about = {key: part[key] for key in ("description", "examples") if key in part}
        kinds = [kind for kind in part.get("anyOf", [part]) if kind.get("type") != "null"]
        kind = next((one for one in kinds if one.get("type") in ("object", "array")), kinds[0])
        if kind.get("type") == "object":
            inner = kind.get("properties")
            if inner is None:
                found[f"{name}[1]"] = {**kind.get("additionalProperties", {"type": "string"}), **about}
            for key, value in (inner or {}).items():
                walk(f"{name}[{key}]", value, required=required and key in kind.get("required", ()))
        elif kind.get("type") == "array":
            items = kind["items"]
            if items.get("type") == "object":
                walk(f"{name}[0]", items, required=required)
            else:
                found[f"{name}[]"] = {key: v for key, v in {**items, **about}.items() if key != "examples"}
        else:
            found[name] = {**{key: value for key, value in kind.items() if key != "title"}, **about}
            if required:
                needed.append(name)

    for key, value in schema.get("properties", {}).items():
        walk(key, value, required=key in schema.get("required", ()))
    whole: dict[str, Any] = {"type": "object", "properties": found}
    return whole | ({"required": needed} if needed else {})


def form_example(example: Mapping[str, Any]) -> dict[str, str]:
    """`example` as a form sends it."""
    found: dict[str, str] = {}

    def walk(name: str, value: Any) -> None:
        if isinstance(value, Mapping):
            for key, inner in value.items():
                walk(f"{name}[{key}]" if name else str(key), inner)
        elif isinstance(value, list) and value and not isinstance(value[0], Mapping):
            found[f"{name}[]"] = str(value[0])
        elif isinstance(value, list):
            for number, inner in enumerate(value):
                walk(f"{name}[{number}]", inner)
        else:
            found[name] = str(int(value)) if isinstance(value, bool) else str(value)

    walk("", example)
    return found


def _inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """`schema` without references, which would not be found from inside a route."""
    definitions = schema.pop("$defs", {})

    def resolve(part: Any) -> Any:
        if isinstance(part, dict):
            if "$ref" in part:
                return resolve(definitions[part["$ref"].rsplit("/", 1)[1]])
            return {key: resolve(value) for key, value in part.items()}
        return [resolve(value) for value in part] if isinstance(part, list) else part

    resolved = resolve(schema)
    assert isinstance(resolved, dict)
    return resolved


def docs_html(description: dict[str, Any]) -> str:
    """The OpenAPI description as the inside of an HTML page."""
    parts = [
        f"<h1>{escape(description['info']['title'])}</h1>",
        _paragraphs(description["info"]["description"]),
        '<p>For programs: <a href="/openapi.json">openapi.json</a>.</p>',
    ]
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            parts.append(_operation(method, path, operation))
    parts.append("<h2>Answers</h2>")
    for name, schema in sorted(description["components"]["schemas"].items()):
        parts.append(
            f'<h3 id="{escape(name)}">{escape(name)}</h3>{_paragraphs(schema.get("description", ""))}'
        )
        parts.append(_fields(schema))
    return "\n".join(parts)


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    rows = [
        f"<tr><td><code>{escape(p['name'])}</code></td><td>{escape(p['in'])}</td>"
        f"<td>{escape(p.get('description', ''))}</td></tr>"
        for p in operation.get("parameters", [])
    ]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    answers = "".join(
        f"<li><b>{escape(status)}</b> {escape(response.get('description', ''))} {_reference(response)}</li>"
        for status, response in operation.get("responses", {}).items()
    )
    return (
        f"<h2><code>{method.upper()} "
        f"{escape(path)}</code></h2><p><b>{escape(operation.get('summary', ''))}.</b></p>"
        f"{_paragraphs(operation.get('description', ''))}"
        + (f"<table>{''.join(rows)}</table>" if rows else "")
        + (f"<p>Fields of the body:</p>{_fields(body)}" if body else "")
        + f"<ul>{answers}</ul>"
    )


def _reference(response: dict[str, Any]) -> str:
    schema = response.get("content", {}).get("application/json", {}).get("schema", {})
    reference = schema.get("$ref") or schema.get("items", {}).get("$ref")
    if reference is None:
        return ""
    name = escape(reference.rsplit("/", 1)[1])
    return f'<a href="#{name}">{"list of " if "items" in schema else ""}{name}</a>'


def _fields(schema: dict[str, Any], prefix: str = "") -> str:
    rows = "".join(_rows(schema, prefix))
    return f"<table>{rows}</table>" if rows else ""


def _rows(schema: dict[str, Any], prefix: str) -> list[str]:
    rows = []
    for name, field in schema.get("properties", {}).items():
        full = f"{prefix}[{name}]" if prefix else name
        inner = next((part for part in field.get("anyOf", []) if "properties" in part), None)
        if inner is not None:
            rows += _rows(inner, full)
            continue
        kinds = [part.get("type", "") for part in field.get("anyOf", [field])]
        kind = " or ".join(k for k in kinds if k and k != "null")
        rows.append(
            f"<tr><td><code>{escape(full)}</code></td><td>{escape(kind)}</td>"
            f"<td>{escape(field.get('description', ''))}</td></tr>"
        )
    return rows


def _paragraphs(text: str) -> str:
    return "".join(f"<p>{escape(part)}</p>" for part in text.split("\n\n") if part.strip())
