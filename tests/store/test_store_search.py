"""What a search of the runs table finds, on each database."""

from __future__ import annotations

import re

import pytest

from tests.store.sample_frames import metric_frame, start
from trainvitals.wire.messages import Finding, RunEnd
from trainvitals.wire.notes import Note
from trainvitals.wire.table import RunsChange
from trainvitals_server.store.interface import RunQuery, SearchRefused, Store
from trainvitals_server.store.search_syntax import parse_search

NOW = 100_000.0
FOUND = {
    "": {"sick", "well", "best", "bare"},
    "resnet": {"sick", "well"},
    'resnet "resnet 50"': {"sick"},
    "-resnet": {"best", "bare"},
    "status:running": {"sick", "best", "bare"},
    "status:finished,lost": {"well"},
    "health:<60": {"sick"},
    "health>=60": {"well"},
    "-health:<60": {"well", "best", "bare"},
    "finding:dead_activations": {"sick"},
    "finding:dead*": {"sick"},
    "finding:critical": {"sick"},
    "finding:none": {"well", "best", "bare"},
    "tag:baseline": {"sick"},
    "tag:50%": {"sick"},
    "-tag:baseline": {"well", "best", "bare"},
    "tag:base": set(),
    'project:"other team"': {"bare"},
    "name:RESNET*": {"sick", "well"},
    "group:sweep": {"best"},
    "-group:*": {"sick", "well", "bare"},
    "age:<2h": {"sick"},
    "step:>=20": {"sick", "well", "best"},
    "lr>0.01": {"sick"},
    "lr>=0.01": {"sick", "best"},
    "lr=1e-3": {"well"},
    'lr="1e-2"': {"best"},
    'lr="1e-3"': set(),
    "lr!=0.1": {"well", "best", "bare"},
    "optimizer.lr=0.1": {"sick"},
    "optimizer.name=adam": {"sick"},
    "optimizer.name=adam*": {"sick", "well"},
    "optimizer.name=adam,adamw": {"sick", "well"},
    "batch_size=64": {"sick"},
    '"batch size">=64': {"sick"},
    "deep=true": {"best"},
    "loss<0.4": {"best"},
    "loss<1": {"well", "best"},
    "loss=mse": {"well"},
    'loss="nan"': set(),
    "-lr=*": {"bare"},
    "loss=nan": {"sick"},
    "val_loss<0.85": {"best"},
    "has:lr": {"sick", "well", "best"},
    "-has:lr": {"bare"},
    "has:val/loss": {"best"},
    "resnet lr>0.01 health:<60 tag:baseline": {"sick"},
}
NOT_UNDERSTOOD = {
    "net statuss:lost": ((4, 16), "did you mean status:?"),
    "health:<abc": ((0, 11), "no number"),
    "a status:": ((2, 9), "a value is missing"),
    "status:well": ((0, 11), "running, finished, stopped, failed or lost"),
    'x "two words': ((2, 12), "do not end"),
    "<60": ((0, 3), "a name is missing"),
    "age:<2": ((0, 6), "30m, 12h, 2d or 1w"),
    "tag:>3": ((0, 6), "tag is no number"),
    "lr>fast": ((0, 7), "no number"),
    "net lr=" + "1," * 100 + "1 deep=1": ((4, 208), "at most 100 values of one condition"),
}


@pytest.fixture
def table(store: Store) -> Store:
    """Four runs: a sick one that goes on, two that are well, and one of another project without settings."""
    settings = {"optimizer": {"lr": 0.1, "name": "Adam"}, "batch size": 64}
    start(store, "sick", name="resnet 50", tags=["Baseline", "50%"], config=settings, started_at=NOW - 3600)
    start(store, "well", name="resnet 18", config={"optimizer": {"lr": 0.001, "name": "adamw"}, "loss": "mse"})
    start(store, "best", name="vit", group="sweep", config={"lr": "1e-2", "deep": True})
    start(store, "bare", project="other team", name="bare")
    for run_id, loss in (("sick", float("nan")), ("well", 0.5), ("best", 0.25)):
        store.append([metric_frame(0, [1, 20], [9.0, loss], run_id=run_id)])
    store.append([metric_frame(1, [1, 20], [0.9, 0.8], run_id="best", metric="val/loss")])
    found = Finding(
        finding_id="f", run_id="sick", rule="dead_activations", severity="critical", first_step=1, last_step=2,
        summary="dead",
    )  # fmt: skip
    store.save_findings("sick", [found], health=40)
    store.save_findings("well", [], health=95)
    store.end_run("well", RunEnd(status="finished", ended_at=2000.0))
    return store


def test_finds_what_meets_every_condition(table: Store) -> None:
    pages = {text: table.runs(RunQuery(text=text, now=NOW)) for text in FOUND}
    assert {text: {row.run_id for row in page.runs} for text, page in pages.items()} == FOUND
    assert all(page.total == len(page.runs) for page in pages.values())


@pytest.mark.parametrize("text", NOT_UNDERSTOOD)
def test_says_what_it_does_not_understand_and_where(text: str) -> None:
    place, said = NOT_UNDERSTOOD[text]
    with pytest.raises(SearchRefused, match=re.escape(said)) as refused:
        parse_search(text)
    assert refused.value.place == place


def test_sorts_by_what_columns_show_and_tells_the_settings_asked_for(table: Store) -> None:
    def order(sort_by: str, *, descending: bool = False) -> list[str]:
        query = RunQuery(sort_by=sort_by, descending=descending, text="-bare")
        return [row.run_id for row in table.runs(query).runs]

    assert order("setting:optimizer.lr")[:2] == ["well", "sick"]
    assert order("loss") == ["best", "well", "sick"]
    assert order("findings", descending=True)[0] == "sick"
    assert order("name") == ["well", "sick", "best"]
    (row,) = table.runs(RunQuery(text="vit", settings=("lr", "deep", "nothing"))).runs
    assert row.settings == {"lr": "1e-2", "deep": "True"}


def test_finds_a_setting_by_its_newest_value(table: Store) -> None:
    table.note("well", Note(writer=1, seq=0, config={"optimizer": {"lr": 0.5}}))
    assert [row.run_id for row in table.runs(RunQuery(text="lr=0.5")).runs] == ["well"]


def test_an_archived_run_is_found_where_it_is_asked_for(table: Store) -> None:
    table.change_runs(RunsChange(run_ids=["bare"], archived=True), now=NOW)

    def found(text: str) -> set[str]:
        return {row.run_id for row in table.runs(RunQuery(text=text, hides_archived=True)).runs}

    assert found("") == {"sick", "well", "best"}
    assert found("is:archived") == {"bare"}
    assert found("is:all") == {"sick", "well", "best", "bare"}
    assert table.runs(RunQuery(text="is:archived")).runs[0].archived


@pytest.mark.parametrize(
    "text", ["name:über*", "name:Über*", "name:ÜBERLAUF", "project:ÉTUDE", "ÜBER", "name:*LAUF memo:*größe"]
)
def test_letters_of_all_languages_are_found_whatever_their_case(store: Store, text: str) -> None:
    start(store, "a", name="Überlauf", project="Étude")
    start(store, "b", name="Uberlauf", project="Etude")
    store.change_runs(RunsChange(run_ids=["a"], memo="nach der GRÖSSE, nicht der Größe"), now=NOW)
    assert [row.run_id for row in store.runs(RunQuery(text=text)).runs] == ["a"]
