"""The table of runs. Its rows are asked for by 31-runs.js as they come into view."""

from __future__ import annotations

import json
from typing import Any, Final

import dash_ag_grid as dag

from trainvitals_dashboard.runs_look import OWN, SETTING, SORTED, RunsLook

ROW_PX: Final = 50
HEAD_PX: Final = 38
ROWS_AT_ONCE: Final = 100  # as 31-runs.js asks
BLOCKS_KEPT: Final = 12
LETTER_PX: Final = 7  # of a column's title
LEAST_PX, MOST_PX = 84, 170  # of a chosen column
Options = dict[str, Any]  # Any: ag-grid's own options
SHAPES: Final[dict[str, Options]] = {
    "name": {"cellRenderer": "TvRun", "minWidth": 150, "flex": 3, "lockVisible": True},
    "status": {"cellRenderer": "TvStatus", "width": 140, "minWidth": 104},
    "health": {"cellRenderer": "TvHealth", "width": 92, "minWidth": 84},
    "findings": {"cellRenderer": "TvFindings", "width": 120, "minWidth": 104},
    "loss": {"valueFormatter": {"function": "tvNumber(params.value)"}, "width": 90, "minWidth": 76},
    "spark": {"cellRenderer": "TvSpark", "width": 142, "minWidth": 134},
    "step": {"valueFormatter": {"function": "tvInteger(params.value)"}, "width": 88, "minWidth": 76},
    "tags": {
        "cellRenderer": "TvTags",
        "editable": {"function": "!!params.data"},
        "valueSetter": {"function": "tvSetTags(params)"},
        "cellEditorPopup": True,
        "minWidth": 96,
        "flex": 1,
    },
    "memo": {
        "cellRenderer": "TvMemo",
        "editable": {"function": "!!params.data"},
        "valueSetter": {"function": "tvSetMemo(params)"},
        "cellEditor": "agLargeTextCellEditor",
        "cellEditorPopup": True,
        "cellEditorParams": {"maxLength": 4000, "rows": 5, "cols": 44},
        "minWidth": 104,
        "flex": 2,
    },
    "created": {"valueFormatter": {"function": "tvAgo(params.value)"}, "width": 104, "minWidth": 96},
}


def runs_grid(look: RunsLook) -> dag.AgGrid:
    """The table, its rows told apart by run id so that live updates find theirs."""
    columns = columns_of(look)
    for column in columns:
        if column["colId"] == look.sort_by:
            column["initialSort"] = "desc" if look.descending else "asc"
    return dag.AgGrid(
        id="runs-grid",
        rowModelType="infinite",
        columnDefs=columns,
        getRowId="params.data.run_id",
        columnSize="responsiveSizeToFit",
        defaultColDef={"resizable": True, "suppressMovable": True, "sortingOrder": ["asc", "desc"]},
        dashGridOptions={
            "theme": {"function": "tvGridTheme(agGrid)"},
            "rowHeight": ROW_PX,
            "headerHeight": HEAD_PX,
            "cacheBlockSize": ROWS_AT_ONCE,
            "maxBlocksInCache": BLOCKS_KEPT,
            "blockLoadDebounceMillis": 40,
            "rowSelection": {"mode": "multiRow", "checkboxes": True, "headerCheckbox": False},
            "selectionColumnDef": {"width": 44, "maxWidth": 44, "minWidth": 44},
            "rowBuffer": 5,
            "animateRows": False,
            "suppressNoRowsOverlay": True,  # the page says it, and why
            "stopEditingWhenCellsLoseFocus": True,
            "singleClickEdit": True,
        },
        style={"width": "100%", "height": "100%"},
    )


def columns_of(look: RunsLook) -> list[Options]:
    """The columns: its own ones, those that were chosen among them."""
    found = [_own(name) for name in OWN if name not in look.hidden]
    place = next((at for at, one in enumerate(found) if one["colId"] in ("tags", "memo", "created")), len(found))
    return [*found[:place], *(_added(name) for name in look.added), *found[place:]]


def _own(name: str) -> Options:
    getter = {"function": f"tvRow.{name}(params.data)"}
    given = {"headerName": OWN[name], "colId": name, "valueGetter": getter, "sortable": name in SORTED}
    return given | SHAPES[name]


def _added(column: str) -> Options:
    kind, _, name = column.partition(":")
    getter = {"function": f"tvRow.{kind}(params.data, {json.dumps(name, ensure_ascii=True)})"}
    shape = {} if column.startswith(SETTING) else {"valueFormatter": {"function": "tvNumber(params.value)"}}
    given = {"headerName": name, "colId": column, "valueGetter": getter, "sortable": True, "headerTooltip": name}
    width = min(max(LEAST_PX, LETTER_PX * len(name) + 44), MOST_PX)
    tooltip = {"function": "tvWhole(params.value)"}
    return given | {"width": width, "minWidth": width, "tooltipValueGetter": tooltip} | shape
