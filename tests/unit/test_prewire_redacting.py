"""Secrets are taken out of whatever a support bundle holds."""

from __future__ import annotations

import json

import pytest

from prewire.bundle.redacting import REMOVED, Redactor

SECRET = "hunter2-hunter2"  # noqa: S105
PEM = f"-----BEGIN EC PRIVATE KEY-----\n{SECRET}\nMHcCAQ==\n-----END EC PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Bearer {SECRET}",
        f'curl -H "authorization: bearer {SECRET}"',
        f"basic {SECRET}",
        f"http://user:{SECRET}@prometheus:9090/api",
        f"https://{SECRET}@host/",
        f"https://user:p@{SECRET}@host/",
        f"password={SECRET}",
        f"DB_PASSWORD: '{SECRET}'",
        f"http://host/?token={SECRET}&x=1",
        f'{{"api_key": "{SECRET}"}}',
        f'{{\\"token\\": \\"{SECRET}\\"}}',
        f"pw_{SECRET}",
        f"eyJhbGciOiJIUzI1NiJ9.{SECRET}.c2ln",
        PEM,
        json.dumps({"file": PEM}),
        PEM[:60],
    ],
)
def test_what_looks_like_a_secret_is_taken_out(text: str) -> None:
    told = Redactor(()).text(f"before {text} after")
    assert SECRET not in told
    assert REMOVED in told
    assert told.startswith("before ")


def test_a_known_secret_is_taken_out_wherever_it_stands() -> None:
    assert Redactor((SECRET, "")).text(f"x{SECRET}y") == f"x{REMOVED}y"


def test_values_with_the_name_of_a_secret_are_taken_out_of_data() -> None:
    found = Redactor(()).data({"token": SECRET, "list": [{"private_key": SECRET}], "port": 80})
    assert found == {"token": REMOVED, "list": [{"private_key": REMOVED}], "port": 80}


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1:9686/metrics",
        '{"access": "tokens", "token": null}',
        "prewire_services 5",
        "cookie=0x7000010300000001, table=20, tcp,nw_dst=10.0.0.100 actions=ct(table=30)",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert Redactor(()).text(text) == text
