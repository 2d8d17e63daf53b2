"""A forecaster as bytes, so that a restart or another process goes on where it stood.

The trained model goes along; the light experts are the program's own. No pickle: bytes from
elsewhere cannot run anything.

Must not know: where the bytes are kept.
"""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any, Final

import numpy as np

from predictor.models.calibration import Calibration
from predictor.models.forecaster import Forecaster, Told
from predictor.models.global_model import GlobalModel, available

_VERSION: Final = 1


def save(forecaster: Forecaster) -> bytes:
    """Everything but the light experts; read back by `load`."""
    trained = [each for each in forecaster.models if isinstance(each, GlobalModel)]
    about = {
        "version": _VERSION,
        "horizons": forecaster.horizons,
        "quantiles": forecaster.quantiles,
        "names": forecaster.names,
        "end_ms": forecaster.end_ms,
        "pool": list(forecaster.pool.total),
        "told": [[each.made_ms, list(each.models)] for each in forecaster.told],
        "trained": trained[0].to_bytes().decode() if trained else "",
    }
    arrays: dict[str, Any] = {
        "offset": forecaster.calibration.offset,
        "scale": forecaster.calibration.scale,
    }
    for place, name in enumerate(forecaster.pool.total):
        arrays[f"total{place}"] = forecaster.pool.total[name]
        arrays[f"steps{place}"] = forecaster.pool.steps[name]
    for number, told in enumerate(forecaster.told):
        arrays[f"told{number}"] = told.values
        for place, each in enumerate(told.models.values()):
            arrays[f"told{number}of{place}"] = each
    out = io.BytesIO()
    text = np.frombuffer(json.dumps(about).encode(), dtype=np.uint8)
    arrays["about"] = text
    np.savez(out, allow_pickle=False, **arrays)
    return out.getvalue()


def load(data: bytes) -> Forecaster:
    """ValueError where the bytes are not from `save` of this version.

    Without LightGBM the trained model is left out.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            about = json.loads(arrays["about"].tobytes())
            if about["version"] != _VERSION:
                raise ValueError(f"version {about['version']}, this program reads {_VERSION}")
            return _forecaster(about, {name: arrays[name] for name in arrays.files})
    except (KeyError, TypeError, EOFError, OSError, zipfile.BadZipFile, ValueError) as error:
        raise ValueError(f"no saved forecaster: {error}") from error


def _forecaster(read: dict[str, Any], arrays: dict[str, Any]) -> Forecaster:
    made = Forecaster(tuple(read["horizons"]), tuple(read["quantiles"]))
    made.names, made.end_ms = tuple(read["names"]), int(read["end_ms"])
    made.pool.count = len(made.names)
    for place, name in enumerate(read["pool"]):
        made.pool.total[name] = arrays[f"total{place}"]
        made.pool.steps[name] = arrays[f"steps{place}"]
    made.calibration = Calibration(made.quantiles, arrays["offset"], arrays["scale"])
    for number, (made_ms, models) in enumerate(read["told"]):
        told = {name: arrays[f"told{number}of{place}"] for place, name in enumerate(models)}
        made.told.append(Told(int(made_ms), told, arrays[f"told{number}"]))
    if read["trained"] and not available():
        made.adopt(GlobalModel.from_bytes(read["trained"].encode()))
    return made
