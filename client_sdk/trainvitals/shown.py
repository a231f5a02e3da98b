"""What a run looks like: its address, and its page for notebooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from trainvitals.notebook import LivePage
    from trainvitals.settings import Settings

HEIGHT: Final = 720  # pixels: the key numbers, the loss, and the heatmap's beginning


class Shown:
    """The part of a run that can be looked at."""

    run_id: str
    settings: Settings

    @property
    def url(self) -> str:
        """The address of the run's page."""
        return f"{self.settings.server_url}/runs/{self.run_id}"

    def page(self, *, height: int = HEIGHT) -> LivePage:
        """The live page, for a notebook to draw in so many pixels."""
        from trainvitals.notebook import LivePage

        return LivePage(self, height=height)

    def __repr__(self) -> str:
        settings = self.settings
        if settings.mode == "disabled":
            return f"run {self.run_id}: disabled, nothing is recorded"
        if settings.mode == "offline":
            return f"run {self.run_id}: offline, kept in {settings.directory}; ship it with: trainvitals sync"
        return f"run {self.run_id}: {self.url}"

    def _repr_html_(self) -> str:
        return self.page()._repr_html_()
