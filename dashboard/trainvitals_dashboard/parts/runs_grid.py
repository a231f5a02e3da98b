"""The table of runs."""

from __future__ import annotations

import json
from typing import Any, Final

import dash_ag_grid as dag

from trainvitals.wire import coding
from trainvitals.wire.answers import RunPage, RunSummary

ROW_PX: Final = 50
NUMBER: Final = {"comparator": {"function": "tvCompare"}}


def row(summary: RunSummary) -> dict[str, Any]:  # Any: JSON
    """A row of the table: the very message that live updates bring."""
    return dict(json.loads(coding.encode(summary, media_type=coding.JSON)))


def runs_grid(found: RunPage) -> dag.AgGrid:
    """The table, its rows told apart by run id so that live updates find theirs."""
    return dag.AgGrid(
        id="runs-grid",
        rowData=[row(summary) for summary in found.runs],
        columnDefs=_columns(),
        getRowId="params.data.run_id",
        columnSize="responsiveSizeToFit",
        defaultColDef={"sortable": True, "resizable": False, "suppressMovable": True},
        dashGridOptions={
            "theme": {"function": "tvGridTheme(agGrid)"},
            "domLayout": "autoHeight",
            "rowHeight": ROW_PX,
            "headerHeight": 38,
            "rowSelection": {"mode": "multiRow", "checkboxes": True, "headerCheckbox": False},
            "selectionColumnDef": {"width": 44, "maxWidth": 44, "minWidth": 44},
            "animateRows": False,
            "suppressCellFocus": True,
            "pagination": len(found.runs) > 100,
            "paginationPageSize": 100,
        },
        style={"width": "100%", "height": None},
    )


def _columns() -> list[dict[str, Any]]:  # Any: ag-grid's own options
    def column(title: str, getter: str, **more: Any) -> dict[str, Any]:
        return {
            "headerName": title,
            "valueGetter": {"function": f"tvRow.{getter}(params.data)"},
            "colId": getter,
        } | more

    return [
        column("Run", "name", cellRenderer="TvRun", minWidth=150, flex=3),
        column("Status", "status", cellRenderer="TvStatus", width=158, minWidth=104),
        column("Health", "health", **NUMBER, cellRenderer="TvHealth", width=96, minWidth=84),
        column(
            "Open findings",
            "findings",
            **NUMBER,
            cellRenderer="TvFindings",
            width=130,
            minWidth=110,
        ),
        column(
            "Loss",
            "loss",
            **NUMBER,
            valueFormatter={"function": "tvNumber(params.value)"},
            width=96,
            minWidth=76,
        ),
        column("Loss over time", "spark", cellRenderer="TvSpark", width=150, minWidth=140, sortable=False),
        column(
            "Step",
            "step",
            **NUMBER,
            valueFormatter={"function": "tvInteger(params.value)"},
            width=96,
            minWidth=76,
        ),
        column(
            "Started",
            "created",
            valueFormatter={"function": "tvAgo(params.value)"},
            width=110,
            minWidth=96,
            sort="desc",
        ),
    ]
