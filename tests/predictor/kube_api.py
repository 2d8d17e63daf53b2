"""A Kubernetes API server in small, as strict as the real one where the drivers could err.

By paths of the API; patches are taken by their content type and really applied (RFC 6902, RFC
7386); a patch that does not fit is 422, an old resourceVersion 409, a wrong token 401. Bounds of a
Revision's annotations are checked as Knative's webhook does.
"""

from __future__ import annotations

import copy
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

TOKEN: Final = "of-the-test"  # noqa: S105 - it opens nothing
SERVING: Final = "serving.knative.dev/v1"
AUTOSCALING: Final = "autoscaling.internal.knative.dev/v1alpha1"
_PATH: Final = re.compile(
    r"/apis/(?P<group>[^/]+/[^/]+)/namespaces/(?P<namespace>[^/]+)/(?P<plural>[^/]+)"
    r"(?:/(?P<name>[^/]+))?(?P<scale>/scale)?"
)


class ApiError(Exception):
    """The answer is a Status of this code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass
class KubeServer:
    """The objects by (group/version, namespace, plural, name). `failing`: answers of the next
    requests; `patches`: how many were applied."""

    url: str = ""
    objects: dict[tuple[str, str, str, str], dict[str, Any]] = field(default_factory=dict)
    failing: list[int] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    patches: int = 0
    carries_over: bool = True  # as Knative since 1.21 from the Revision to the PodAutoscaler
    lock: threading.Lock = field(default_factory=threading.Lock)

    def put(self, group: str, plural: str, name: str, **content: Any) -> None:
        """Have an object in the namespace default."""
        metadata = {"name": name, "namespace": "default", "resourceVersion": "1"}
        content["metadata"] = metadata | content.get("metadata", {})
        with self.lock:
            self.objects[group, "default", plural, name] = {"apiVersion": group} | content

    def deployment(self, name: str, replicas: int = 1) -> None:
        """A Deployment."""
        self.put("apps/v1", "deployments", name, kind="Deployment", spec={"replicas": replicas})

    def knative(self, name: str, latest: str | None, **revisions: dict[str, str] | None) -> None:
        """A Knative service with revisions, by name their annotations (None: they have none)."""
        status = {"latestReadyRevisionName": latest} if latest else {}
        self.put(SERVING, "services", name, kind="Service", status=status)
        for revision, given in revisions.items():
            metadata: dict[str, Any] = {"labels": {"serving.knative.dev/service": name}}
            if given is not None:
                metadata["annotations"] = given
            self.put(SERVING, "revisions", revision, kind="Revision", metadata=metadata)
            self.put(AUTOSCALING, "podautoscalers", revision, kind="PodAutoscaler")

    def annotations(self, revision: str) -> dict[str, str]:
        """Of a Revision."""
        with self.lock:
            found = self.objects[SERVING, "default", "revisions", revision]
            return dict(found["metadata"].get("annotations", {}))

    def replicas(self, name: str) -> int:
        """Of a Deployment."""
        with self.lock:
            return int(self.objects["apps/v1", "default", "deployments", name]["spec"]["replicas"])


@contextmanager
def kube_server() -> Iterator[KubeServer]:
    """It serves while the block lasts."""
    state = KubeServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer("GET")

        def do_PATCH(self) -> None:
            self._answer("PATCH")

        def _answer(self, method: str) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            with state.lock:
                state.requests.append(f"{method} {self.path}")
                try:
                    code, content = 200, self._content(method, body)
                except ApiError as error:
                    code = error.code
                    content = {"kind": "Status", "code": code, "message": str(error)}
            text = json.dumps(content).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def _content(self, method: str, body: bytes) -> Any:
            if state.failing:
                raise ApiError(state.failing.pop(0), "failing for the test")
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                raise ApiError(401, "Unauthorized")
            if method == "GET":
                return _read(state, self.path)
            return _patched(state, self.path, self.headers.get("Content-Type", ""), body)

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _read(state: KubeServer, path: str) -> Any:
    split = urlsplit(path)
    match = _match(split.path)
    if match["name"]:
        return _object(state, match)
    selector = parse_qs(split.query).get("labelSelector", [""])[0]
    wanted = dict(pair.split("=", 1) for pair in selector.split(",") if pair)
    items = [
        found
        for (group, namespace, plural, _), found in state.objects.items()
        if (group, namespace, plural) == (match["group"], match["namespace"], match["plural"])
        and wanted.items() <= found["metadata"].get("labels", {}).items()
    ]
    return {"kind": "List", "items": items}


def _patched(state: KubeServer, path: str, content_type: str, body: bytes) -> Any:
    match = _match(urlsplit(path).path)
    found = _object(state, match)
    seen = _scale(found) if match["scale"] else copy.deepcopy(found)
    version = seen["metadata"]["resourceVersion"]
    patch = json.loads(body)
    if content_type == "application/json-patch+json":
        seen = json_patched(seen, patch)
    elif content_type == "application/merge-patch+json":
        seen = merge_patched(seen, patch)
    else:
        raise ApiError(415, f"the body of the request was in an unknown format: {content_type}")
    if seen["metadata"]["resourceVersion"] != version:
        raise ApiError(409, "the object has been modified; please apply your changes to the latest")
    if match["scale"]:
        replicas = seen["spec"].get("replicas", 0)
        if not isinstance(replicas, int) or isinstance(replicas, bool) or replicas < 0:
            raise ApiError(422, "spec.replicas: must be greater than or equal to 0")
        found["spec"]["replicas"] = replicas
    else:
        _check_revision(seen)
        scaler = (AUTOSCALING, match["namespace"], "podautoscalers", match["name"])
        if state.carries_over and match["plural"] == "revisions":
            carried = seen["metadata"].get("annotations", {})
            state.objects[scaler]["metadata"]["annotations"] = dict(carried)
        found.clear()
        found.update(seen)
    found["metadata"]["resourceVersion"] = str(int(version) + 1)
    state.patches += 1
    return _scale(found) if match["scale"] else found


def _match(path: str) -> re.Match[str]:
    match = _PATH.fullmatch(path)
    if match is None:
        raise ApiError(404, "the server could not find the requested resource")
    return match


def _object(state: KubeServer, match: re.Match[str]) -> dict[str, Any]:
    key = (match["group"], match["namespace"], match["plural"], match["name"])
    if key not in state.objects:
        raise ApiError(404, f'{match["plural"]} "{match["name"]}" not found')
    return state.objects[key]


def _scale(found: dict[str, Any]) -> dict[str, Any]:
    replicas = found["spec"]["replicas"]
    return {
        "apiVersion": "autoscaling/v1",
        "kind": "Scale",
        "metadata": copy.deepcopy(found["metadata"]),
        "spec": {"replicas": replicas} if replicas else {},  # 0 is left out
    }


def _check_revision(seen: dict[str, Any]) -> None:
    annotations = seen["metadata"].get("annotations", {})
    bounds = []
    for key in ("min-scale", "max-scale"):
        text = annotations.get(f"autoscaling.knative.dev/{key}", "0")
        if not isinstance(text, str) or not text.isdecimal():
            raise ApiError(400, f"admission webhook denied the request: invalid value: {text}")
        bounds.append(int(text))
    if bounds[1] and bounds[0] > bounds[1]:
        raise ApiError(400, f"admission webhook denied the request: max-scale={bounds[1]} is less")


def json_patched(target: Any, patch: Any) -> Any:
    """RFC 6902, of objects: add, remove, replace, test; all of it or nothing."""
    if not isinstance(patch, list):
        raise ApiError(400, "a JSON patch is an array")
    target = copy.deepcopy(target)
    for step in patch:
        *parents, last = [part.replace("~1", "/").replace("~0", "~") for part in _pointer(step)]
        place = target
        for part in parents:
            if not isinstance(place, dict) or part not in place:
                raise ApiError(422, f"the path {step['path']} does not exist")
            place = place[part]
        if step["op"] != "add" and last not in place:
            raise ApiError(422, f"the path {step['path']} does not exist")
        if step["op"] == "test" and place[last] != step["value"]:
            raise ApiError(422, f"testing value {step['path']} failed")
        if step["op"] in ("add", "replace"):
            place[last] = step["value"]
        elif step["op"] == "remove":
            del place[last]
    return target


def _pointer(step: dict[str, Any]) -> list[str]:
    if step["op"] not in ("add", "remove", "replace", "test"):
        raise ApiError(400, f"{step['op']} is no operation")
    return str(step["path"]).split("/")[1:]


def merge_patched(target: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        raise ApiError(400, "a merge patch of an object is an object")
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = (
                merge_patched(result.get(key), value) if isinstance(value, dict) else value
            )
    return result
