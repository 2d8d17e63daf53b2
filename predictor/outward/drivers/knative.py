"""Prewarms a Knative service: min-scale on its latest ready Revision.

A change of the Service's template would make a new Revision, and Knative reverts changes of the
PodAutoscaler; the annotation of the Revision it carries over to that, since Knative 1.21. Above
min-scale Knative's autoscaler goes on as ever, and once the annotation is gone below it too.

What the Revision had before is kept in an annotation of ours, so that it is restored by whichever
predictor gives control back, also after a restart. Plans never go below it.

Must not know: plans, services of prewire, how the API is reached.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from predictor.outward.drivers.contract import DriverError, Target
from predictor.outward.drivers.kube import Kind, KubeApi

MIN_SCALE: Final = "autoscaling.knative.dev/min-scale"
MAX_SCALE: Final = "autoscaling.knative.dev/max-scale"
BEFORE: Final = "prewire.dev/min-scale-before"

_SERVING: Final = ("serving.knative.dev", "v1")
_AUTOSCALING: Final = ("autoscaling.internal.knative.dev", "v1alpha1")
_SCALERS: Final = "podautoscalers"


class KnativeDriver:
    """Targets are "knative:NAMESPACE/SERVICE"."""

    def __init__(self, api: KubeApi | None = None) -> None:
        self._api = api or KubeApi()

    async def scale(self, target: Target, containers: int) -> None:
        """Have at least so many at the latest ready Revision, and give all others back."""
        namespace, name = target.path
        service = await self._api.get(Kind(*_SERVING, namespace, "services"), name)
        latest = service.get("status", {}).get("latestReadyRevisionName")
        if not latest:
            raise DriverError(f"{target} has no ready revision", "it is tried again", passing=True)
        revisions = await self._revisions(target)
        for revision in revisions:
            if _name(revision) != latest:
                await self._patch(namespace, revision, given_back(revision))
            elif patch := scaled(revision, containers):
                await self._patch(namespace, revision, patch)
            elif BEFORE in _annotations(revision):
                await self._check_carried_over(namespace, revision)
        if latest not in map(_name, revisions):
            raise DriverError(
                f"{target}: revision {latest} is gone", "it is tried again", passing=True
            )

    async def release(self, target: Target) -> None:
        """Give every Revision back to Knative."""
        for revision in await self._revisions(target):
            await self._patch(target.path[0], revision, given_back(revision))

    async def close(self) -> None:
        """End the connections."""
        await self._api.close()

    async def _check_carried_over(self, namespace: str, revision: Any) -> None:
        """See that Knative heeds the annotation that was set earlier; DriverError otherwise."""
        scaler = await self._api.get(Kind(*_AUTOSCALING, namespace, _SCALERS), _name(revision))
        if _annotations(scaler).get(MIN_SCALE) != _annotations(revision)[MIN_SCALE]:
            raise DriverError(
                f"Knative does not heed {MIN_SCALE} of revision {_name(revision)}",
                "use Knative 1.21 or later",
                passing=False,
            )

    async def _revisions(self, target: Target) -> list[Any]:
        namespace, name = target.path
        labels = f"serving.knative.dev/service={name}"
        return await self._api.select(Kind(*_SERVING, namespace, "revisions"), labels)

    async def _patch(self, namespace: str, revision: Any, patch: list[dict[str, Any]]) -> None:
        if patch:
            kind = Kind(*_SERVING, namespace, "revisions")
            await self._api.patch(kind, _name(revision), patch)


def scaled(revision: Mapping[str, Any], containers: int) -> list[dict[str, Any]]:
    """The JSON patch by which a Revision has at least so many; [] where it has.

    Never fewer than its own min-scale was, never more than its max-scale.
    """
    annotations = _annotations(revision)
    before = annotations.get(BEFORE, annotations.get(MIN_SCALE, ""))
    own = _number(before)
    most = _number(annotations.get(MAX_SCALE, ""))
    wanted = max(own, containers if not most else min(containers, most))
    if wanted == own:
        return given_back(revision)
    if annotations.get(BEFORE) == before and annotations.get(MIN_SCALE) == str(wanted):
        return []
    new = {BEFORE: before, MIN_SCALE: str(wanted)}
    if not annotations:
        return [_at_version(revision), {"op": "add", "path": "/metadata/annotations", "value": new}]
    return [_at_version(revision), *(_add(key, value) for key, value in new.items())]


def given_back(revision: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The JSON patch by which a Revision is as it was before us; [] where it is."""
    annotations = _annotations(revision)
    if BEFORE not in annotations:
        return []
    before = annotations[BEFORE]
    patch = [_at_version(revision), {"op": "remove", "path": _path(BEFORE)}]
    if before:
        return [*patch, _add(MIN_SCALE, before)]
    if MIN_SCALE in annotations:
        return [*patch, {"op": "remove", "path": _path(MIN_SCALE)}]
    return patch


def _at_version(revision: Mapping[str, Any]) -> dict[str, Any]:
    """Nothing is changed where another was faster: the API server then answers 422."""
    version = revision["metadata"].get("resourceVersion")
    return {"op": "test", "path": "/metadata/resourceVersion", "value": version}


def _add(key: str, value: str) -> dict[str, Any]:
    return {"op": "add", "path": _path(key), "value": value}


def _path(key: str) -> str:
    return "/metadata/annotations/" + key.replace("~", "~0").replace("/", "~1")


def _annotations(revision: Mapping[str, Any]) -> Mapping[str, str]:
    return revision["metadata"].get("annotations") or {}


def _name(revision: Mapping[str, Any]) -> str:
    return str(revision["metadata"]["name"])


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0
