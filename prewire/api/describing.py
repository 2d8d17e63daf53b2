"""What is added to the OpenAPI description of routes: ETags, pages, examples of answers.

Examples of answers are those of the documentation (`prewire.docs.examples`), and those that models
have. An answer without one of its own has that of another with the same object.

Must not know: what a route does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from importlib import resources
from typing import Any, Final

from fastapi import FastAPI

from prewire.api.problems import MEDIA_TYPE, Problem

_JSON: Final = "application/json"
_TEXT: Final = {"type": "string"}
_KNOWN: Final = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "schema": _TEXT,
    "description": "ETag of the answer that one has; 304 where it is the same still",
}
_ETAG: Final = {"ETag": {"description": "of this answer", "schema": _TEXT}}
_LINK: Final = {"Link": {"description": 'the next page, rel="next"', "schema": _TEXT}}
_SAME: Final = {"description": "the answer that one has is the same still", "headers": _ETAG}


def install(app: FastAPI) -> None:
    """Have the application's description say it."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            described(plain())
        return plain()

    app.openapi = openapi  # type: ignore[method-assign]


def described(spec: dict[str, Any]) -> None:
    """Complete a description."""
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    spec["components"]["schemas"] |= {**problem.pop("$defs"), "Problem": problem}
    _add_conditions(spec)
    _add_examples(spec, _examples())


# ------------------------------------------------------------------------------- conditions, pages


def _add_conditions(spec: dict[str, Any]) -> None:
    for path, methods in spec["paths"].items():
        operation = methods.get("get")
        if operation is None or not path.startswith("/v1/"):
            continue
        answer = operation["responses"].get("200", {})
        if _JSON not in answer.get("content", {}):
            continue
        parameters = operation.setdefault("parameters", [])
        is_list = any(each["name"] == "cursor" for each in parameters)
        parameters.append(dict(_KNOWN))
        answer["headers"] = {**answer.get("headers", {}), **_ETAG, **(_LINK if is_list else {})}
        operation["responses"]["304"] = dict(_SAME)


# ------------------------------------------------------------------------------- examples


def _examples() -> dict[str, dict[str, Any]]:
    """Answers by operation, as in "GET /v1/services", and status."""
    text = resources.files(__package__).joinpath("examples.json").read_text("utf-8")
    return dict(json.loads(text))


def _add_examples(spec: dict[str, Any], shown: Mapping[str, Mapping[str, Any]]) -> None:
    schemas = spec["components"]["schemas"]
    known = {name: each["examples"][0] for name, each in schemas.items() if "examples" in each}
    for operation, code, content in _answers(spec):
        example = shown.get(operation, {}).get(code)
        if example is not None:
            content["example"] = example
            known.setdefault(_named(content["schema"]), example)
    for _, _, content in _answers(spec):
        if "example" not in content:
            example = _of_object(_named(content["schema"]), schemas, known)
            if example is not None:
                content["example"] = example


def _answers(spec: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Operation, status, and media type of every JSON answer."""
    for path, methods in spec["paths"].items():
        for method, operation in methods.items():
            for code, answer in operation["responses"].items():
                for kind in (_JSON, MEDIA_TYPE):
                    if kind in answer.get("content", {}):
                        content = answer["content"][kind] = dict(answer["content"][kind])
                        yield f"{method.upper()} {path}", code, content


def _of_object(name: str, schemas: Mapping[str, Any], known: Mapping[str, Any]) -> Any:
    """An example of this object, or of a list with one; None where there is none."""
    if name in known or name not in schemas:
        return known.get(name)
    items = schemas[name].get("properties", {}).get("items", {}).get("items", {})
    listed = known.get(_named(items))
    return None if listed is None else {"items": [listed], "next": None}


def _named(schema: Mapping[str, Any]) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]
