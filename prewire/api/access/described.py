"""What the OpenAPI description says of access, so that tools and /docs ask for a token.

Must not know: what a route needs.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI


def install(app: FastAPI) -> None:
    """Have the application's description say that every route below /v1 takes a bearer token."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        spec = plain()
        schemes = spec.setdefault("components", {}).setdefault("securitySchemes", {})
        schemes["token"] = {
            "type": "http",
            "scheme": "bearer",
            "description": "as `prewire token create` printed it, or a JWT of the OIDC issuer",
        }
        spec["security"] = [{"token": []}]
        return spec

    app.openapi = openapi  # type: ignore[method-assign]
