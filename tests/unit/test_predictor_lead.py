"""Lead times are what was measured."""

from __future__ import annotations

from nib.plans import PrewarmRequest
from nib.prewarm import Scaling
from predictor.running.lead import FIRST_COLD_START_S, LeadTimes


def ready(id_: str, service: str, took_ms: int) -> PrewarmRequest:
    asked_ms = 10**6
    return PrewarmRequest(
        id_, service, 1, 1, asked_ms, asked_ms, 2 * asked_ms, "ready", ended_ms=asked_ms + took_ms
    )


def test_before_any_measurement_a_cold_start_is_a_guess() -> None:
    leads = LeadTimes(1.0)
    assert leads.cold_start_s("web") == FIRST_COLD_START_S


def test_a_service_has_its_own_cold_start_and_a_new_one_that_of_the_others() -> None:
    leads = LeadTimes(1.0)
    leads.learn([ready("a", "web", 2000), ready("b", "web", 2000)])
    assert leads.cold_start_s("web") == 2.0
    assert leads.cold_start_s("new") == 2.0


def test_each_request_counts_once_and_unready_ones_never() -> None:
    leads = LeadTimes(1.0)
    slow, fast = ready("a", "web", 9000), ready("b", "web", 1000)
    expired = PrewarmRequest("c", "web", 1, 1, 0, 0, 1, "expired", ended_ms=800_000)
    for _ in range(50):
        leads.learn([slow, fast, expired])
    assert 1.0 < leads.cold_start_s("web") < 9.0


def test_what_an_operator_says_is_taken() -> None:
    leads = LeadTimes(0.5)
    leads.programmed(0.25)
    assert leads.lead_s("web", Scaling("web", cold_start_ms=3000)) == 3.75


def test_absurd_times_are_left_out() -> None:
    leads = LeadTimes(1.0)
    leads.programmed(float("nan"))
    leads.programmed(-3)
    leads.learn([ready("a", "web", 10**9), ready("b", "web", -5000)])
    assert leads.lead_s("web") == FIRST_COLD_START_S + 1.0
