"""The rules keep their promise on the recorded trainings, and the page says what they do."""

from __future__ import annotations

import pytest
import torch

from clinic.__main__ import PAGE, judged
from clinic.case import HELD_BACK
from clinic.catalogue import catalogue
from clinic.judging import Verdict, judge
from clinic.recording import RECORDED, path_of, recording
from clinic.report import page, shortfalls
from trainvitals.wire.recording import unpack
from trainvitals_server.diagnosis.catalogue import rules

OF_SECONDS = {"slow_rank", "throughput_fallen", "data_loading_starves"}  # which a machine with other work has, too
ILLS = sorted({case.diagnosis for case in catalogue() if case.diagnosis is not None})


@pytest.fixture(scope="module")
def verdicts() -> list[Verdict]:
    return judged(catalogue())


@pytest.mark.slow
def test_the_promise_is_kept(verdicts: list[Verdict]) -> None:
    assert shortfalls(verdicts) == []


@pytest.mark.slow
def test_the_published_page_is_what_comes_of_judging(verdicts: list[Verdict]) -> None:
    assert PAGE.read_text() == page(verdicts), "run `make clinic`"


def test_every_recording_is_of_a_case_and_every_case_is_recorded() -> None:
    expected = {path_of(case, seed) for case in catalogue() for seed in case.seeds}

    assert set(RECORDED.iterdir()) == expected


@pytest.mark.parametrize("ill", ILLS)
def test_an_ill_is_named_after_a_rule_and_shown_in_two_architectures_and_two_seeds(ill: str) -> None:
    cases = [case for case in catalogue() if case.diagnosis == ill]

    assert ill in rules()
    assert len({case.architecture for case in cases}) >= 2
    assert any(case.architecture in HELD_BACK for case in cases)
    assert all(len(case.seeds) >= 2 for case in cases)


@pytest.mark.parametrize("is_sick", [True, False])
def test_at_least_half_of_the_runs_are_held_back_from_tuning(is_sick: bool) -> None:
    runs = [case for case in catalogue() if (case.diagnosis is not None) is is_sick for _ in case.seeds]

    assert sum(case.is_held_back for case in runs) >= len(runs) / 2


def test_consequences_are_named_after_rules() -> None:
    assert {rule for case in catalogue() for rule in case.follows} <= set(rules())


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "vanishing_gradients-deep-sigmoid",
        "non_finite_values-logarithm",
        "gradients_not_shared-inner-module-called",
        "healthy-averaged",
    ],
)
def test_a_case_that_is_trained_here_and_now_is_diagnosed_rightly(name: str) -> None:
    torch.set_num_threads(1)
    (case,) = catalogue([name])

    verdict = judge(case, 0, unpack(recording(case, 0)), rules())

    assert verdict.is_named or case.diagnosis is None
    assert [one for one in verdict.false_alarms if one.rule not in OF_SECONDS] == []
