"""The tables in the code and those that the migrations make are the same."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.script import ScriptDirectory

from tests.store.sample_frames import metric_frame, start
from trainvitals.wire.messages import Finding
from trainvitals_server.store.engine import Database, make_engine
from trainvitals_server.store.engine import database_url as normalised
from trainvitals_server.store.interface import RunQuery, StoreError, StoreUnavailable
from trainvitals_server.store.opening import migration_config, open_store


def test_migrations_make_the_tables_of_the_code(database_url: str) -> None:
    open_store(database_url).close()
    database = Database(make_engine(normalised(database_url), migrating=True))

    with database.writing() as connection:
        command.check(migration_config(connection))
    database.close()


def test_migrations_can_be_undone(database_url: str) -> None:
    open_store(database_url).close()
    database = Database(make_engine(normalised(database_url), migrating=True))

    with database.writing() as connection:
        command.downgrade(migration_config(connection), "base")
        assert sa.inspect(connection).get_table_names() == ["alembic_version"]
    database.close()


def test_runs_of_before_are_found_by_their_settings_tags_and_findings(database_url: str) -> None:
    store = open_store(database_url)
    start(store, "old", tags=["Best"], config={"optimizer": {"lr": 0.1}})
    store.append([metric_frame(0, [1], [0.5], run_id="old", metric="train/loss")])
    found = Finding(finding_id="f", run_id="old", rule="a_rule", severity="info", first_step=1, last_step=1, summary="")
    store.save_findings("old", [found], health=90)
    store.close()
    database = Database(make_engine(normalised(database_url), migrating=True))
    with database.writing() as connection:
        command.downgrade(migration_config(connection), "0010")
    database.close()

    store = open_store(database_url)
    text = "tag:best lr=0.1 optimizer.lr>0 finding:a_rule loss<1"
    assert [row.run_id for row in store.runs(RunQuery(text=text)).runs] == ["old"]
    store.close()


def test_servers_that_start_together_migrate_once(database_url: str) -> None:
    with ThreadPoolExecutor(6) as pool:
        stores = list(pool.map(open_store, [database_url] * 6))
    for store in stores:
        store.ping()
        store.close()
    database = Database(make_engine(normalised(database_url), migrating=True))
    with database.writing() as connection:
        newest = ScriptDirectory.from_config(migration_config(connection)).get_current_head()
        assert connection.scalars(sa.text("SELECT version_num FROM alembic_version")).all() == [newest]
    database.close()


def test_a_database_of_a_newer_version_is_left_alone(database_url: str) -> None:
    open_store(database_url).close()
    database = Database(make_engine(normalised(database_url), migrating=True))
    with database.writing() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    database.close()

    with pytest.raises(StoreError, match="newer trainvitals"):
        open_store(database_url)


@pytest.mark.parametrize("url", ["mysql://host/name", "sqlite://", "no url"])
def test_refuses_what_is_no_database_for_runs(url: str) -> None:
    with pytest.raises(StoreError, match="sqlite:///path"):
        open_store(url)


def test_says_why_a_database_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="unable to open database file"):
        open_store(f"sqlite:///{tmp_path}")
