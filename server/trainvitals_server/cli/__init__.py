"""The server's commands: ``serve``, ``demo``, ``rule``, ``diagnose``, and the SDK's ``run`` and ``sync``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from trainvitals_server.api.rulebook import rule_page, rule_titles
from trainvitals_server.cli.diagnosing import (
    CannotDiagnose,
    as_json,
    as_text,
    checklist_of,
    findings_of,
    is_sick,
    stages_as_text,
)
from trainvitals_server.cli.serving import CannotServe, serve_until_stopped
from trainvitals_server.demo import run_demo
from trainvitals_server.settings import DEFAULT_PORT, SettingsError, settings_from

commands = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
NOT_DONE = 1
NOT_UNDERSTOOD = 2
SICK = 3


def main(argv: list[str] | None = None) -> int:
    """Run a command; the exit status: 0 done, 1 not done, 2 not understood or refused."""
    try:
        commands(args=sys.argv[1:] if argv is None else argv, prog_name="trainvitals")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    return 0


@commands.callback()
def trainvitals() -> None:
    """Watch neural networks train from the inside."""


@commands.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; TRAINVITALS_HOST, else 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; TRAINVITALS_PORT, else 7360.")] = None,
    database: Annotated[
        str | None,
        typer.Option(help="sqlite:///path or postgresql://…; TRAINVITALS_DATABASE, else a file of the user."),
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Folder for the SQLite file.")] = None,
) -> None:
    """Take in runs, judge them and show them, until Ctrl-C."""
    try:
        settings = settings_from(os.environ, host=host, port=port, database=database, data=data)
    except SettingsError as error:
        typer.echo(f"trainvitals: {error}", err=True)
        raise typer.Exit(NOT_UNDERSTOOD) from None
    try:
        serve_until_stopped(settings)
    except CannotServe as error:
        typer.echo(f"trainvitals: {error}", err=True)
        raise typer.Exit(NOT_DONE) from None


@commands.command()
def demo(
    port: Annotated[int, typer.Option(help="Port to listen on.")] = DEFAULT_PORT,
    finish: Annotated[bool, typer.Option("--exit", help="End with the trainings; exit 0 if all went right.")] = False,
    data: Annotated[Path | None, typer.Option(help="Folder for the SQLite file.")] = None,
    steps: Annotated[int | None, typer.Option(help="Steps of each training.")] = None,
) -> None:
    """A server and three real trainings, one of them sick."""
    raise typer.Exit(run_demo(port=port, exit_when_done=finish, data=data, steps=steps))


@commands.command(add_help_option=False, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def sync(context: typer.Context) -> None:
    """Ship what trainings left in the spool: the SDK's own command."""
    raise typer.Exit(subprocess.call([sys.executable, "-m", "trainvitals.command", "sync", *context.args]))


@commands.command(
    "run", add_help_option=False, context_settings={"allow_extra_args": True, "ignore_unknown_options": True}
)
def run_script(context: typer.Context) -> None:
    """Run a training's script as it stands, and watch it: the SDK's own command."""
    raise typer.Exit(subprocess.call([sys.executable, "-m", "trainvitals.command", "run", *context.args]))


@commands.command()
def rule(name: Annotated[str, typer.Argument(help="A rule's name, as findings give it.")]) -> None:
    """Print a rule's page."""
    page = rule_page(name)
    if page is None:
        known = ", ".join(title.name for title in rule_titles())
        typer.echo(f"trainvitals: no rule {name!r}; there are: {known}", err=True)
        raise typer.Exit(NOT_DONE)
    typer.echo(page)


@commands.command()
def diagnose(
    what: Annotated[str, typer.Argument(help="A run's id, or the file of a spool or of a recorded run.")],
    output: Annotated[Literal["text", "json"], typer.Option("--format", help="For people, or for programs.")] = "text",
    fail_on: Annotated[
        Literal["info", "warning", "critical"], typer.Option(help="Exit 3 if a finding is as grave.")
    ] = "warning",
    server_url: Annotated[str | None, typer.Option(help="TRAINVITALS_SERVER_URL, else this machine's.")] = None,
) -> None:
    """Tell what is wrong with a run. Exit 0: nothing is; 3: something is; 1: it cannot be told."""
    try:
        findings = findings_of(what, os.environ, server_url=server_url)
        stages = None if output == "json" else checklist_of(what, os.environ, server_url=server_url)
    except CannotDiagnose as error:
        typer.echo(f"trainvitals: {error}", err=True)
        raise typer.Exit(NOT_DONE) from None
    typer.echo(as_json(findings) if output == "json" else as_text(findings))
    if stages is not None:
        typer.echo(f"\n{stages_as_text(stages)}")
    raise typer.Exit(SICK if is_sick(findings, at=fail_on) else 0)
