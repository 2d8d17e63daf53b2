"""Scales a Deployment, StatefulSet or ReplicaSet, by its scale subresource.

Not together with an autoscaler of the same object: they would undo each other's work.

Must not know: plans, services, how the API is reached.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from predictor.outward.drivers.contract import DriverError, Target
from predictor.outward.drivers.kube import Kind, KubeApi

_PLURALS: Final[Mapping[str, str]] = {
    "deployment": "deployments",
    "statefulset": "statefulsets",
    "replicaset": "replicasets",
}


class KubernetesDriver:
    """Targets are "kubernetes:NAMESPACE/deployment/NAME"."""

    def __init__(self, api: KubeApi | None = None) -> None:
        self._api = api or KubeApi()

    async def scale(self, target: Target, containers: int) -> None:
        """Set the replicas."""
        namespace, kind, name = target.path
        plural = _PLURALS.get(kind)
        if plural is None:
            known = ", ".join(_PLURALS)
            raise DriverError(f"{target}: {kind} is no kind", f"use one of {known}", passing=False)
        # "add" also replaces; an object with 0 replicas may show none.
        patch = [{"op": "add", "path": "/spec/replicas", "value": containers}]
        await self._api.patch_scale(Kind("apps", "v1", namespace, plural), name, patch)

    async def release(self, target: Target) -> None:
        """Leave the replicas as they are: who has the object scales it on."""

    async def close(self) -> None:
        """End the connections."""
        await self._api.close()
