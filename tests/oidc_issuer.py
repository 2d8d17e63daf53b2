"""An OpenID Connect issuer for tests: serves its keys by HTTP, and signs with real ones."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

RSA: Final = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_RSA: Final = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC: Final = ec.generate_private_key(ec.SECP256R1())
ED: Final = ed25519.Ed25519PrivateKey.generate()


def public(key: Any, kid: str, **more: Any) -> dict[str, Any]:
    """As in a key set."""
    kinds = ((rsa.RSAPrivateKey, RSAAlgorithm), (ec.EllipticCurvePrivateKey, ECAlgorithm))
    algorithm: Any = next((of for kind, of in kinds if isinstance(key, kind)), OKPAlgorithm)
    return {**algorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, **more}


@dataclass
class Issuer:
    """What it serves, and how often it was asked."""

    url: str = ""
    keys: list[dict[str, Any]] = field(default_factory=list)
    named: str | None = None
    asked: list[str] = field(default_factory=list)
    away: bool = False

    def answer(self, path: str) -> tuple[int, bytes]:
        self.asked.append(path)
        if self.away:
            return 503, b"away"
        if path == "/.well-known/openid-configuration":
            told = {"issuer": self.named or self.url, "jwks_uri": f"{self.url}/keys"}
            return 200, json.dumps(told).encode()
        return 200, json.dumps({"keys": self.keys}).encode()

    def token(self, key: Any = RSA, algorithm: str = "RS256", kid: str = "1", **claims: Any) -> str:
        now = int(time.time())
        given = {"iss": self.url, "aud": "prewire", "sub": "alice", "exp": now + 60} | claims
        kept = {name: value for name, value in given.items() if value is not None}
        return jwt.encode(kept, key, algorithm=algorithm, headers={"kid": kid} if kid else None)


@contextmanager
def issuing() -> Iterator[Issuer]:
    """One that runs, with one RSA key whose id is 1."""
    made = Issuer(keys=[public(RSA, "1")])

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            code, content = made.answer(self.path)
            self.send_response(code)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()
