"""JWTs of an OpenID Connect issuer that serves its keys by HTTP, with real keys that change."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from nib.access import Token
from nib.database import Nib
from nib.mirror import RowChange
from nib.watch import Batch, BatchCallback, Watch
from prewire.api.access.asking import Credentials
from prewire.api.access.identity import OPERATOR, REGISTRAR, VIEWER, Identity
from prewire.api.access.jwks import KeysAway, KeySet, check_url
from prewire.api.access.known import KnownTokens
from prewire.api.access.oidc import Claims, OidcIssuer
from prewire.api.access.refusals import Refusal
from tests.oidc_issuer import EC, ED, OTHER_RSA, RSA, Issuer, issuing, public


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with issuing() as running:
        yield running


class Rows:
    """Tokens that a database has."""

    def __init__(self, *rows: Token) -> None:
        self._rows = rows

    def watch(self, callback: BatchCallback) -> Watch:
        callback(Batch(0, tuple(RowChange(None, row) for row in self._rows)))
        return Watch(callback)


def checker(issuer: Issuer, *rows: Token, least_s: float = 0.0, **claims: str) -> OidcIssuer:
    known = KnownTokens(cast(Nib, Rows(*rows)))
    return OidcIssuer(Claims(issuer.url, **claims), KeySet(issuer.url, least_s=least_s), known)


def identity(checking: OidcIssuer, *tokens: str) -> Identity:
    """Of the last; all are asked for in one event loop."""

    async def all_of_them() -> list[Identity]:
        return [await checking.identity(each.encode()) for each in tokens]

    return asyncio.run(all_of_them())[-1]


def refused(checking: OidcIssuer, token: str, status: int = 401) -> str:
    with pytest.raises(Refusal) as refusal:
        identity(checking, token)
    assert refusal.value.problem.status == status
    assert token not in str(refusal.value)
    return str(refusal.value)


def test_a_claim_is_the_role(issuer: Issuer) -> None:
    checking = checker(issuer)
    found = identity(checking, issuer.token(prewire_role="viewer"))
    assert (found.name, found.role, found.services) == ("oidc:alice", VIEWER, frozenset())
    assert found.expires_ms > 1000 * time.time()
    several = issuer.token(prewire_role=["x", "viewer", "operator"])
    assert identity(checking, several).role == OPERATOR
    own = issuer.token(prewire_role="registrar", prewire_services=["web", 5, "db"])
    assert identity(checking, own) == Identity(
        "oidc:alice", REGISTRAR, frozenset({"web", "db"}), "", identity(checking, own).expires_ms
    )


def test_a_claim_may_stand_within_another(issuer: Issuer) -> None:
    checking = checker(issuer, role="realm_access.roles", services="own")
    token = issuer.token(realm_access={"roles": ["registrar"]}, own="web db")
    assert identity(checking, token).services == {"web", "db"}
    assert "names no role" in refused(checking, issuer.token(realm_access=["viewer"]), 403)


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [(RSA, "RS256"), (RSA, "PS384"), (EC, "ES256"), (ED, "EdDSA")],
)
def test_keys_of_every_kind_sign(issuer: Issuer, key: Any, algorithm: str) -> None:
    issuer.keys = [public(RSA, "1"), public(EC, "2"), public(ED, "3"), {"kty": "odd"}, {}]
    kid = {RSA: "1", EC: "2", ED: "3"}[key]
    token = issuer.token(key, algorithm, kid, prewire_role="viewer")
    assert identity(checker(issuer), token).role == VIEWER


def test_what_a_jwt_must_say(issuer: Issuer) -> None:
    checking = checker(issuer)
    now = int(time.time())
    for claims, why in (
        ({"exp": now - 60}, "has expired"),
        ({"nbf": now + 600}, "not valid yet"),
        ({"iss": "https://issuer.example.org"}, "another issuer"),
        ({"aud": "another"}, "another audience"),
        ({"exp": None}, "lacks"),
        ({"sub": None}, "lacks"),
        ({"aud": None}, "lacks"),
        ({"sub": "a\nb"}, "no name"),
        ({"sub": "x" * 300}, "no name"),
        ({"exp": "soon"}, "no valid JWT"),
    ):
        assert why in refused(checking, issuer.token(prewire_role="operator", **claims))
    assert "names no role" in refused(checking, issuer.token(), 403)
    assert "names no role" in refused(checking, issuer.token(prewire_role={"operator": 1}), 403)


def test_signatures_that_do_not_hold_are_refused(issuer: Issuer) -> None:
    checking = checker(issuer)
    good = issuer.token(prewire_role="operator")
    head, body, signature = good.split(".")
    other = jwt.utils.base64url_encode(
        json.dumps({"sub": "root", "prewire_role": "operator"}).encode()
    ).decode()
    assert "signature" in refused(checking, issuer.token(OTHER_RSA, prewire_role="operator"))
    assert "signature" in refused(checking, f"{head}.{other}.{signature}")
    refused(checking, f"{head}.{body}.")
    assert identity(checking, good).role == OPERATOR


def test_no_algorithm_and_a_shared_secret_are_refused(issuer: Issuer) -> None:
    """The two old attacks: alg none, and the public key taken for a secret of HMAC."""
    checking = checker(issuer)
    claims = {"iss": issuer.url, "aud": "prewire", "sub": "root", "exp": int(time.time()) + 60,
              "prewire_role": "operator"}  # fmt: skip
    unsigned = jwt.encode(claims, "", algorithm="none", headers={"kid": "1"})
    assert "not for" in refused(checking, unsigned)
    pem = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head = _part({"alg": "HS256", "kid": "1", "typ": "JWT"})
    signed = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    forged = f"{head}.{_part(claims)}"
    mac = base64.urlsafe_b64encode(signed.sign(forged.encode(), pem)).rstrip(b"=").decode()
    assert "not for" in refused(checking, f"{forged}.{mac}")


def _part(told: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(told).encode()).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "token",
    ["x", "a.b.c", "..", "é", _part({"alg": "RS256", "kid": ["1"]}) + ".e30.x",
     _part({"alg": ["RS256"]}) + ".e30.x", _part({"alg": {}}) + ".e30.x",
     base64.urlsafe_b64encode(b"[" * 5000).decode().rstrip("=") + ".e30.x", "eyJ.eyJ."],
)  # fmt: skip
def test_what_is_no_jwt_is_refused(issuer: Issuer, token: str) -> None:
    refused(checker(issuer), token)


def test_a_key_is_used_for_nothing_but_what_it_is_for(issuer: Issuer) -> None:
    issuer.keys = [public(RSA, "1", alg="RS512"), public(OTHER_RSA, "2", use="enc")]
    checking = checker(issuer)
    assert "not for" in refused(checking, issuer.token(prewire_role="viewer"))
    assert identity(checking, issuer.token(algorithm="RS512", prewire_role="viewer"))
    encrypting = issuer.token(OTHER_RSA, kid="2", prewire_role="viewer")
    assert "does not have" in refused(checking, encrypting)


def test_new_keys_are_fetched_when_one_is_met_and_old_ones_end(issuer: Issuer) -> None:
    checking = checker(issuer)
    first = issuer.token(prewire_role="viewer")
    identity(checking, first, first)
    assert issuer.asked.count("/keys") == 1, "keys are kept"
    issuer.keys = [public(EC, "2")]
    second = issuer.token(EC, "ES256", "2", prewire_role="operator")
    assert identity(checking, second).role == OPERATOR
    assert issuer.asked.count("/keys") == 2
    assert "does not have" in refused(checking, first)


def test_unknown_key_ids_do_not_make_us_ask_the_issuer_each_time(issuer: Issuer) -> None:
    checking = checker(issuer, least_s=60)
    for number in range(20):
        refused(checking, issuer.token(kid=f"unknown{number}"))
    assert issuer.asked.count("/keys") == 1


def test_without_an_id_a_single_key_is_meant(issuer: Issuer) -> None:
    token = issuer.token(kid="", prewire_role="viewer")
    assert identity(checker(issuer), token).role == VIEWER
    issuer.keys.append(public(EC, "2"))
    assert "does not have" in refused(checker(issuer), token)


def test_an_issuer_that_is_away_is_no_reason_to_refuse_whom_we_know(issuer: Issuer) -> None:
    checking = checker(issuer)
    token = issuer.token(prewire_role="viewer")
    identity(checking, token)
    issuer.away = True
    assert identity(checking, token, issuer.token(prewire_role="operator")).role == OPERATOR
    assert "503" in refused(checking, issuer.token(EC, "ES256", "2"), 503)
    assert "503" in refused(checker(issuer), token, 503)


def test_keys_of_another_issuer_or_by_an_open_way_are_not_taken(issuer: Issuer) -> None:
    issuer.named = "https://elsewhere.example.org"
    assert "another issuer" in refused(checker(issuer), issuer.token(), 503)
    for url in ("http://10.0.0.1/keys", "file:///etc/passwd", "ftp://127.0.0.1", "", "http://["):
        with pytest.raises(KeysAway):
            check_url(url)
    check_url("https://issuer.example.org/keys")


def test_a_row_of_the_database_goes_before_the_claims(issuer: Issuer) -> None:
    row = Token("alice", VIEWER, subject="oidc:alice")
    checking = checker(issuer, row)
    found = identity(checking, issuer.token(prewire_role="operator"))
    assert (found.name, found.role) == ("alice", VIEWER)
    credentials = Credentials(checking._known, checking)
    assert credentials.is_valid(found)
    assert not credentials.is_valid(replace(found, until_ms=1)), "its JWT has ended"
    past = Token("alice", OPERATOR, subject="oidc:alice", expires_ms=1)
    assert "has expired" in refused(checker(issuer, past), issuer.token(prewire_role="operator"))


def test_who_has_a_row_has_it_as_long_as_the_jwt_holds(issuer: Issuer) -> None:
    found = identity(checker(issuer, Token("a", VIEWER, subject="oidc:alice")), issuer.token())
    assert found.expires_ms == 0
    assert 0 < found.until_ms - 1000 * time.time() < 3_600_000


def test_a_row_that_is_made_later_ends_what_the_claims_said(issuer: Issuer) -> None:
    checking = checker(issuer)
    found = identity(checking, issuer.token(prewire_role="operator"))
    assert Credentials(checking._known, checking).is_valid(found)
    later = checker(issuer, Token("alice", VIEWER, subject="oidc:alice"))
    assert not Credentials(later._known, later).is_valid(found)
