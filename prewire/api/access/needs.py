"""What each route needs of who asks: one table, and the path of a request looked up in it.

A path below /v1 that is not in the table is nobody's but an operator's: a route that was forgotten
here is closed, not open.

Must not know: how it is known who asks, what a route does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Any, Final

from prewire.api.access.identity import OPERATOR, REGISTRAR, Identity


class Need(Enum):
    """Who may ask. The last three let a registrar in, for its own services."""

    OPEN = "everybody"
    READ = "viewers and operators"
    WRITE = "operators"
    READ_OWN = "viewers, operators, and the service's registrars"
    WRITE_OWN = "operators and the service's registrars"
    REPORT_OWN = "operators, and registrars for their services"


OPEN_PATHS: Final = frozenset(
    {
        "/",
        "/docs",
        "/favicon.ico",
        "/healthz",
        "/metrics",
        "/openapi.json",
        "/readyz",
        "/redoc",
    }
)
_OPEN_BELOW: Final = ("/page/",)

_READ: Final = """
    services/{name}/slots demand classes classes/{name} traffic-presets policies policies/{name}
    link-rates link-rates/{switch}/{port} bandwidth services scalings services/{name}/scaling
    provisionings policies/{name}/provisioning schedules schedules/{name} overrides
    overrides/{kind}/{name} dependencies dependencies/graph dependencies/{parent}/{child} plans
    plans/services/{name} plans/policies/{name} prewarm-requests prewarm-requests/{request_id}
    predictors forecasts/{name} series/{name} status switches switches/{dpid} links topology
    hosts hosts/{mac} adopt explain/packet explain/flow explain/meter containers events watch
    readings events/{event_id}
"""
_WRITE: Final[Mapping[str, str]] = {
    "services/{name}": "PUT DELETE",
    "classes/{name}": "PUT DELETE",
    "policies/{name}": "PUT DELETE",
    "link-rates/{switch}/{port}": "PUT DELETE",
    "services/{name}/scaling": "PUT DELETE",
    "policies/{name}/provisioning": "PUT DELETE",
    "schedules/{name}": "PUT DELETE",
    "overrides/{kind}/{name}": "PUT DELETE",
    "dependencies/{parent}/{child}": "PUT DELETE",
    "prewarm-requests/{request_id}/accept": "POST",
    "switches/{dpid}": "DELETE",
    "switches/{dpid}/diff": "POST",
    "hosts/{mac}": "DELETE",
    "adopt": "POST",
    "apply": "POST",
    "tokens": "GET",
    "tokens/{name}": "GET PUT DELETE",
}
_READ_OWN: Final = """
    services/{name} services/{name}/containers services/{name}/containers/{container_id}
"""
_WRITE_OWN: Final[Mapping[str, str]] = {
    "services/{name}/containers/{container_id}": "PUT DELETE",
    "services/{name}/containers/{container_id}/renew": "POST",
    "services/{name}/containers/{container_id}/report": "PUT",
}
_REPORT_OWN: Final[Mapping[str, str]] = {"reports": "POST"}

_PREFIX: Final = "/v1/"
_SERVICE: Final = 1  # the place of {name} in services/{name}/...
_ANY: Final = "*"
_METHODS: Final = ""  # no segment of a path is empty


def needs() -> Iterator[tuple[str, str, Need]]:
    """Every route below /v1: its method, its path, what it needs."""
    for reads, need in ((_READ, Need.READ), (_READ_OWN, Need.READ_OWN)):
        for path in reads.split():
            yield "GET", _PREFIX + path, need
    tables = ((_WRITE, Need.WRITE), (_WRITE_OWN, Need.WRITE_OWN), (_REPORT_OWN, Need.REPORT_OWN))
    for writes, need in tables:
        for path, methods in writes.items():
            for method in methods.split():
                yield method, _PREFIX + path, need


def _tree() -> dict[str, Any]:
    """Segment by segment; at a path's end, under "", what each of its methods needs."""
    root: dict[str, Any] = {}
    for method, path, need in needs():
        node = root
        for segment in path.removeprefix(_PREFIX).split("/"):
            node = node.setdefault(_ANY if segment.startswith("{") else segment, {})
        node.setdefault(_METHODS, {})[method] = need
    return root


_TREE: Final = _tree()


def need_of(method: str, path: str) -> tuple[Need | None, Sequence[str]]:
    """What a request needs, and the segments of its path below /v1.

    None: no such path is in the table. A method that is not in it needs an operator, HEAD what GET
    does.
    """
    if not path.startswith(_PREFIX):
        is_open = path in OPEN_PATHS or path.startswith(_OPEN_BELOW)
        return (Need.OPEN if is_open else None), ()
    segments = path[len(_PREFIX) :].split("/")
    methods = _methods(_TREE, segments)
    if methods is None:
        return None, segments
    return methods.get("GET" if method == "HEAD" else method, Need.WRITE), segments


def _methods(node: Mapping[str, Any], segments: Sequence[str]) -> Mapping[str, Need] | None:
    """What each method of this path below a node needs; a segment's own word goes before any."""
    if not segments:
        return node.get(_METHODS)
    first, *rest = segments
    below = (node[word] for word in (first, _ANY) if first and word in node)
    return next((found for each in below if (found := _methods(each, rest)) is not None), None)


def allows(need: Need, identity: Identity, segments: Sequence[str]) -> bool:
    """Whether this identity may. For REPORT_OWN a registrar still has to be asked of what."""
    if identity.role == OPERATOR or need is Need.OPEN:
        return True
    if identity.role == REGISTRAR:
        if need in (Need.READ_OWN, Need.WRITE_OWN):
            return segments[_SERVICE] in identity.services
        return need is Need.REPORT_OWN
    return need in (Need.READ, Need.READ_OWN)
