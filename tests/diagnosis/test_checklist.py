"""The checklist: every rule and check in one stage, silence that means something, and how to find out what is open."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from trainvitals.preflight.catalogue import all_checks
from trainvitals.wire.answers import MetricLast, RunDetail, RunSummary
from trainvitals.wire.checklist import STAGE_NAMES, Checklist, ChecklistLine
from trainvitals.wire.messages import Finding, FindingState, InitialWeights, LayerInfo, Severity
from trainvitals.wire.preflight import CheckStatus, PreflightCheck, Stage
from trainvitals_server.diagnosis.catalogue import rules
from trainvitals_server.diagnosis.checklist.stages import CHECKS, RULES
from trainvitals_server.diagnosis.checklist.telling import checklist

FACTS = {"loss_function": 0.0, "classes": 4.0, "loss_calls": 1.0, "input_checksum": 1.5, "input_mean": 0.0}
BATCH = {"examples": 64.0, "loss_weight": 1.0, "loss_passes": 1.0}
MODES = {"trained_in_evaluation_mode": 0.0}
TIMES = {"seconds/data": 0.01, "seconds/forward": 0.02}
CLIPPING = {"clipped_fraction": 0.0, "grad_norm_before_clipping": 1.0}
METRICS = {"loss": 0.5, "val_loss": 0.6, "lr": 0.1, **CLIPPING, **TIMES} | {
    f"facts/{name}": value for name, value in (FACTS | BATCH | MODES).items()
}
BEGUN = InitialWeights(std=0.1, largest=0.2, fan_in=32)
LAYERS = [
    LayerInfo(
        name=f"{place}", kind="Linear", parameters=99, trainable=99, settings={"out_features": 4.0}, initial=BEGUN
    )
    for place in range(4)
]
ENVIRONMENT = {"python": "3.11.2", "torch": "2.9.0", "revision": "0123456789ab"}
CONFIG = {"lr": 0.1, "seed": 3, "data": "digits v3"}


def run(*, metrics: dict[str, float] | None = None, ranks: int = 1, step: int = 999, **changes: Any) -> RunDetail:
    """A run that was watched and tracked as it should be."""
    logged = METRICS if metrics is None else metrics
    summary = RunSummary(
        run_id="r", project="p", name="n", status="finished", created_at=0, heartbeat_at=0, last_step=step, health=100,
        ranks=ranks, last={name: MetricLast(step=step, value=value) for name, value in logged.items()},
    )  # fmt: skip
    known = {
        "stats": ["grad_norm", "update_ratio", "activation_std"],
        "recorded_layers": [layer.name for layer in LAYERS],
        "layers": LAYERS,
        "config": CONFIG,
        "environment": ENVIRONMENT,
        "metrics": list(logged),
        "preflight": preflight(),
    }
    return RunDetail(**{"summary": summary, **known, **changes})


def preflight(**statuses: CheckStatus) -> list[PreflightCheck]:
    return [
        PreflightCheck(name=check.name, stage=check.stage, status=statuses.get(check.name, "passed"), summary="so")
        for check in all_checks()
    ]


def finding(rule: str, severity: Severity = "warning", state: FindingState = "open", **more: Any) -> Finding:
    told = {"first_step": 10, "last_step": 90, "summary": "it is ill", "advice": ["Try this.", "Or that.", "Or so."]}
    known = {"finding_id": f"{rule}-1", "run_id": "r", "rule": rule, "severity": severity, "state": state}
    return Finding(**{**known, **told, **more})


def line(found: Checklist, name: str) -> ChecklistLine:
    (only,) = [one for stage in found.stages for one in stage.lines if one.name == name]
    return only


def names(found: Checklist) -> set[str]:
    return {one.name for stage in found.stages for one in stage.lines}


def test_every_rule_of_the_catalogue_belongs_to_one_stage() -> None:
    assert set(RULES) == set(rules())  # a new rule: say in stages.py where it belongs, and what it needs
    assert {place.stage for place in RULES.values()} < set(STAGE_NAMES)


def test_every_check_of_the_preflight_belongs_to_the_stage_that_it_declares() -> None:
    placed = [(name, stage) for stage, checks in CHECKS.items() for name in checks]

    assert sorted(placed) == sorted((check.name, check.stage) for check in all_checks())


def test_a_run_that_is_healthy_and_known_has_passed_all_stages() -> None:
    found = checklist(run(), [])

    assert [stage.stage for stage in found.stages] == list(STAGE_NAMES)
    assert [(one.name, one.summary) for stage in found.stages for one in stage.lines if one.status != "passed"] == []


@pytest.mark.parametrize("severity", ["warning", "critical"])
def test_a_stage_fails_with_a_finding_of_its_rules(severity: Severity) -> None:
    found = checklist(run(), [finding("vanishing_gradients", severity)])

    failed = [stage for stage in found.stages if stage.status == "failed"]
    assert [stage.stage for stage in failed] == ["check the inside"]
    assert failed[0].lines[0] == ChecklistLine(
        name="vanishing_gradients", source="rule", status="failed", summary="it is ill",
        advice=["Try this.", "Or that."], finding_id="vanishing_gradients-1",
    )  # fmt: skip


@pytest.mark.parametrize("state", ["open", "acknowledged", "snoozed"])
def test_a_finding_stands_whatever_was_said_of_it(state: FindingState) -> None:
    assert line(checklist(run(), [finding("loss_spike", state=state)]), "loss_spike").status == "failed"


def test_what_is_resolved_has_passed_and_still_leads_to_its_finding() -> None:
    by_itself = line(checklist(run(), [finding("loss_spike", state="resolved")]), "loss_spike")
    by_ada = line(checklist(run(), [finding("loss_spike", state="resolved", closed_by="Ada")]), "loss_spike")

    assert (by_itself.status, by_itself.finding_id) == ("passed", "loss_spike-1")
    assert by_itself.summary == "seen from step 10 to 90; it is over"
    assert by_ada.summary == "seen from step 10 to 90; Ada has closed it"


def test_a_rule_that_is_muted_has_not_passed() -> None:
    by_the_script = checklist(run(muted=["loss_spike"]), [])
    by_the_project = checklist(run(), [finding("loss_spike", state="resolved")], muted=["loss_spike"])

    assert [line(found, "loss_spike").status for found in (by_the_script, by_the_project)] == ["unknown", "unknown"]


def test_what_is_only_worth_knowing_is_not_known_yet_and_says_how_to_confirm_it() -> None:
    found = line(checklist(run(), [finding("labels_shuffled", "info")]), "labels_shuffled")

    assert (found.status, found.advice[0]) == ("unknown", "Try this.")
    assert "trainvitals rule labels_shuffled" in found.advice[1]


def test_the_gravest_of_several_findings_of_a_rule_speaks_for_all() -> None:
    several = [finding("rank_outlier", summary="rank 1"), finding("rank_outlier", "critical", summary="rank 7")]

    assert line(checklist(run(), several), "rank_outlier").summary == "rank 7 (and 1 more)"


def test_a_rule_of_which_nobody_says_where_it_belongs_is_not_lost() -> None:
    assert line(checklist(run(), [finding("house_rule")]), "house_rule").status == "failed"


@pytest.mark.parametrize(
    ("lost", "rule", "how"),
    [
        ("loss", "loss_not_decreasing", "run.log"),
        ("val_loss", "overfitting", "val_loss"),
        ("lr", "schedule_ended", "run.watch"),
        ("facts/loss_function", "softmax_twice", "nn.CrossEntropyLoss"),
        ("facts/input_checksum", "same_batch", "batch"),
        ("grad_norm_before_clipping", "clipping_always", "Clip once"),
    ],
)
def test_silence_for_want_of_something_is_not_known_and_says_how_to_come_by_it(lost: str, rule: str, how: str) -> None:
    found = line(checklist(run(metrics={name: value for name, value in METRICS.items() if name != lost}), []), rule)

    assert found.status == "unknown"
    assert how in found.advice[0]


def test_a_run_that_is_not_watched_is_told_to_watch() -> None:
    found = checklist(run(stats=[], layers=[], recorded_layers=[]), [])

    assert "run.watch(model, optimizer)" in line(found, "layer_not_learning").advice[0]
    assert line(found, "model").status == "unknown"


def test_silence_in_the_first_steps_means_nothing_yet() -> None:
    found = checklist(run(step=11), [])

    assert line(found, "loss_not_decreasing").summary == "step 11 is too early to tell"
    assert line(found, "layer_not_learning").status == "passed"


def test_silence_behind_what_is_not_finite_means_nothing() -> None:
    early = checklist(run(), [finding("non_finite_values", "critical", first_step=3)])
    late = checklist(run(), [finding("non_finite_values", "critical", first_step=700)])

    assert line(early, "learning_rate_too_high").status == "unknown"
    assert line(early, "learning_rate_too_high").advice == ["Mend that first."]
    assert line(early, "softmax_twice").status == "passed"  # it looks at the loss's call, which was seen
    assert line(late, "learning_rate_too_high").status == "unknown"
    assert line(late, "learning_rate_too_high").summary.startswith("nothing of it was seen before")
    assert line(late, "softmax_twice").status == "passed"


@pytest.mark.parametrize(("step", "status"), [(999, "unknown"), (9_999, "passed")])
def test_an_embedding_has_passed_when_enough_labels_were_seen_for_its_rows(step: int, status: str) -> None:
    table = LayerInfo(name="table", kind="Embedding", parameters=9, trainable=9, settings={"num_embeddings": 10_000.0})
    stats = [*run().stats, "unmoved_fraction"]
    found = checklist(run(step=step, layers=[*LAYERS, table], stats=stats), [])
    assert line(found, "embedding_rows_unused").status == status


def test_before_anything_was_judged_or_recorded_nothing_has_passed_that_rules_tell() -> None:
    fresh = run(metrics={})
    unjudged = msgspec.structs.replace(run(), summary=msgspec.structs.replace(run().summary, health=None))
    empty = msgspec.structs.replace(fresh, summary=msgspec.structs.replace(fresh.summary, last_step=None))

    for one in (unjudged, empty):
        told = [told for stage in checklist(one, []).stages for told in stage.lines if told.source == "rule"]
        assert {each.status for each in told} == {"unknown"}
        assert all(each.advice for each in told)


def test_a_run_is_not_told_of_rules_that_do_not_concern_it() -> None:
    plain, regression = checklist(run(), []), {**METRICS, "facts/loss_function": 4.0, "facts/broadcast": 1.0}
    dropping = [*LAYERS, LayerInfo(name="drop", kind="Dropout", settings={"p": 0.1})]

    assert not names(plain) & {"dropout_too_high", "training_in_evaluation_mode", "slow_rank", "targets_not_normalised"}
    assert {"dropout_too_high", "training_in_evaluation_mode"} <= names(checklist(run(layers=dropping), []))
    assert {"slow_rank", "rank_outlier"} <= names(checklist(run(ranks=4), []))
    told = names(checklist(run(metrics=regression), []))
    assert "targets_not_normalised" in told
    assert not told & {"class_collapse", "labels_constant", "softmax_twice"}


def test_checks_of_the_preflight_stand_in_their_stages() -> None:
    found = checklist(run(preflight=preflight(initial_loss="failed", input_scale="unknown")), [])

    assert [stage.status for stage in found.stages[:3]] == ["unknown", "failed", "passed"]
    assert line(found, "initial_loss").source == "preflight"


def test_without_a_preflight_its_stages_say_how_to_make_one() -> None:
    stages: tuple[Stage, ...] = ("start simple", "confirm the loss", "check the inside")
    found = checklist(run(preflight=[]), [])

    for outcome in found.stages[:3]:
        assert outcome.stage in stages
        assert (outcome.status, outcome.lines[0].name) == ("unknown", "preflight")
        assert "tv.preflight(" in outcome.lines[0].advice[0]
    assert found.stages[3].status == "passed"


@pytest.mark.parametrize(
    ("changes", "name", "status"),
    [
        ({"config": {}}, "settings", "unknown"),
        ({"config": {"lr": 1}}, "seed", "unknown"),
        ({"environment": {}}, "code", "unknown"),
        ({"environment": {"revision": "0123456789ab-dirty"}}, "code", "unknown"),
        ({"environment": {}}, "environment", "unknown"),
        ({"config": {"lr": 1}, "metrics": {"loss": 1.0}}, "data", "unknown"),
        ({"config": {"lr": 1}}, "data", "passed"),  # its batches are known
        ({"metrics": {}}, "training_loss", "unknown"),
        ({"metrics": {"loss": 1.0}}, "validation", "unknown"),
    ],
)
def test_what_is_not_recorded_is_not_known(changes: dict[str, Any], name: str, status: CheckStatus) -> None:
    found = line(checklist(run(**changes), []), name)

    assert found.status == status
    assert found.advice or status == "passed"


@pytest.mark.parametrize(
    ("status", "error", "outcome", "words"),
    [
        ("finished", None, "passed", "it came to its end"),
        ("failed", "Traceback …\nRuntimeError: out of memory", "failed", "RuntimeError: out of memory"),
        ("lost", None, "failed", "the training fell silent, and was not heard of again"),
    ],
)
def test_how_a_run_ended_is_tracked(status: Any, error: str | None, outcome: CheckStatus, words: str) -> None:
    ended = msgspec.structs.replace(run(error=error), summary=msgspec.structs.replace(run().summary, status=status))

    assert (line(checklist(ended, []), "end").status, line(checklist(ended, []), "end").summary) == (outcome, words)


def test_a_run_that_goes_on_has_no_end_to_speak_of() -> None:
    going = msgspec.structs.replace(run(), summary=msgspec.structs.replace(run().summary, status="running"))

    assert "end" not in names(checklist(going, []))
