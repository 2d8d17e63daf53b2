"""Calls of the Kubernetes API, by its official client, each in a thread.

Owns: how the API is found and who we are there, time limits, and what its errors mean.
Must not know: what is scaled, or by which objects.

Patches are JSON patches (RFC 6902).
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from predictor.outward.drivers.contract import DriverError

Patch = Sequence[Mapping[str, Any]]

_JSON_PATCH: Final = "application/json-patch+json"
_CALL_S: Final = 10.0
_SAID: Final = 300
_WANTING: Final[Mapping[int, str]] = {
    400: "the API server refuses it",
    401: "the API server does not know us: give the predictor a service account or a kubeconfig",
    403: "we may not: apply the roles of deploy/ to the predictor's service account",
    404: "see that it is there, and that the target names its namespace",
    415: "the API server knows no JSON patch for it",
}


class Kind(NamedTuple):
    """Objects of one kind in one namespace, as the API's paths name them."""

    group: str
    version: str
    namespace: str
    plural: str


class KubeApi:
    """Objects of any group, as dictionaries. Every call raises DriverError.

    client: a `kubernetes.client.ApiClient`; None = as the environment says: in a cluster, the
    service account of the pod, otherwise the kubeconfig of KUBECONFIG.
    """

    def __init__(self, client: Any = None) -> None:
        self._client = client
        self._lock = threading.Lock()

    async def get(self, kind: Kind, name: str) -> Any:
        """One object."""
        return await self._call("get_namespaced_custom_object", *kind, name)

    async def select(self, kind: Kind, labels: str) -> list[Any]:
        """Those with these labels, as in "key=value"."""
        found = await self._call("list_namespaced_custom_object", *kind, label_selector=labels)
        return list(found.get("items", ()))

    async def patch(self, kind: Kind, name: str, patch: Patch) -> Any:
        """Change one object."""
        return await self._patch("patch_namespaced_custom_object", kind, name, patch)

    async def patch_scale(self, kind: Kind, name: str, patch: Patch) -> Any:
        """Change one object's scale subresource."""
        return await self._patch("patch_namespaced_custom_object_scale", kind, name, patch)

    async def close(self) -> None:
        """End the client's connections."""
        client, self._client = self._client, None
        if client is not None:
            await asyncio.to_thread(client.close)

    async def _patch(self, method: str, kind: Kind, name: str, patch: Patch) -> Any:
        return await self._call(method, *kind, name, list(patch), _content_type=_JSON_PATCH)

    async def _call(self, method: str, *arguments: Any, **options: Any) -> Any:
        return await asyncio.to_thread(self._call_here, method, arguments, options)

    def _call_here(self, method: str, arguments: Sequence[Any], options: Mapping[str, Any]) -> Any:
        with self._lock:
            if self._client is None:
                self._client = _client_of_environment()
        from kubernetes.client import CustomObjectsApi  # noqa: PLC0415 - slow, and optional

        call: Callable[..., Any] = getattr(CustomObjectsApi(self._client), method)
        try:
            return call(*arguments, **options, _request_timeout=_CALL_S)
        except Exception as error:
            raise _driver_error("/".join(map(str, arguments[2:5])), error) from error


def _client_of_environment() -> Any:
    try:
        from kubernetes import client, config  # noqa: PLC0415
    except ImportError:
        raise DriverError(
            "the package kubernetes is not installed",
            "pip install 'prewire[kubernetes]'",
            passing=False,
        ) from None
    configuration = client.Configuration()
    try:
        try:
            config.load_incluster_config(client_configuration=configuration)
        except config.ConfigException:
            config.load_kube_config(client_configuration=configuration)
    except (config.ConfigException, OSError) as error:
        raise DriverError(
            f"no way to the Kubernetes API: {error}",
            "run in a cluster, or set KUBECONFIG",
            passing=False,
        ) from None
    # Tries again are the dispatcher's, with the last word by then.
    configuration.retries = 0
    return client.ApiClient(configuration)


def _driver_error(what: str, error: Exception) -> DriverError:
    status = getattr(error, "status", None)
    if status is None:
        return DriverError(f"{what}: {error}"[:_SAID], "see that the API answers", passing=True)
    said = _said(getattr(error, "body", None)) or getattr(error, "reason", "")
    remedy = _WANTING.get(status)
    return DriverError(
        f"{what}: {status} {said}"[:_SAID], remedy or "it is tried again", passing=remedy is None
    )


def _said(body: Any) -> str:
    """The message of the Status object that the API answers an error with."""
    try:
        return str(json.loads(body)["message"])
    except (TypeError, ValueError, KeyError, RecursionError):
        return " ".join(str(body or "").split())
