"""The server's commands: ``serve``, ``demo``, ``rule``, ``rules``, ``diagnose``; and the SDK's, for help's sake."""

from __future__ import annotations

import difflib
import getpass
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import typer

from trainvitals_server.api.rulebook import rule_page, rule_titles
from trainvitals_server.cli import project_rules
from trainvitals_server.cli.asking import NoAnswer, Server
from trainvitals_server.cli.diagnosing import (
    CannotDiagnose,
    as_json,
    as_text,
    checklist_of,
    defined,
    findings_of,
    is_sick,
    looked_at,
    stages_as_text,
)
from trainvitals_server.cli.serving import CannotServe, serve_until_stopped
from trainvitals_server.demo import run_demo
from trainvitals_server.diagnosis.options import RuleRefused
from trainvitals_server.settings import DEFAULT_PORT, SettingsError, settings_from

commands = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
NOT_DONE = 1
NOT_UNDERSTOOD = 2
SICK = 3
WHAT_IS_DIAGNOSED = (
    "A run's id, the file of a spool or of a recorded run, or what another tracker recorded: CSV, JSON lines, "
    "trainer_state.json, a run's folder of MLflow, TensorBoard's event files."
)

ServerUrl = Annotated[str | None, typer.Option(help="TRAINVITALS_SERVER_URL, else this machine's.")]


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
    "import", add_help_option=False, context_settings={"allow_extra_args": True, "ignore_unknown_options": True}
)
def import_run(context: typer.Context) -> None:
    """Ship a run that another tracker recorded: the SDK's own command."""
    raise typer.Exit(subprocess.call([sys.executable, "-m", "trainvitals.command", "import", *context.args]))


@commands.command(add_help_option=False, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def preflight(context: typer.Context) -> None:
    """Check a training before its first epoch: the SDK's own command."""
    raise typer.Exit(subprocess.call([sys.executable, "-m", "trainvitals.command", "preflight", *context.args]))


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
        known = [title.name for title in rule_titles()]
        near = difflib.get_close_matches(name.replace("-", "_"), known, n=3)
        words = f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(known)}"
        typer.echo(f"trainvitals: no rule {name!r}; {words}", err=True)
        raise typer.Exit(NOT_DONE)
    typer.echo(page)


@commands.command()
def rules(
    project: Annotated[str | None, typer.Option(help="TRAINVITALS_PROJECT, else default.")] = None,
    mute: Annotated[list[str] | None, typer.Option(help="A rule that is not to judge; may be repeated.")] = None,
    unmute: Annotated[list[str] | None, typer.Option(help="A rule that is to judge again; may be repeated.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="rule.option=value, in place of the default; may be repeated.")
    ] = None,
    unset: Annotated[
        list[str] | None, typer.Option(help="rule.option, to be the default again; may be repeated.")
    ] = None,
    restore: Annotated[int | None, typer.Option(help="A version, to be valid again.")] = None,
    by: Annotated[str | None, typer.Option(help="Who says it; the user's name.")] = None,
    comment: Annotated[str, typer.Option(help="Why, for the history.")] = "",
    history: Annotated[bool, typer.Option("--history", help="What was said before, by whom and when.")] = False,
    output: Annotated[Literal["text", "json"], typer.Option("--format", help="For people, or for programs.")] = "text",
    server_url: ServerUrl = None,
) -> None:
    """A project's rules on a server: which are muted, with which options; and set them."""
    server, name = Server.of(os.environ, url=server_url), project or os.environ.get("TRAINVITALS_PROJECT") or "default"
    with _errors_told():
        found = project_rules.ask_rules(server, name)
        said = project_rules.said(
            found, mute=mute or (), unmute=unmute or (), set_=set_ or (), unset=unset or (), restore=restore
        )
        if said is not None:
            said = msgspec.structs.replace(said, by=by or _user(), comment=comment)
            found = project_rules.put_rules(server, name, said)
    as_json = output == "json"
    text = project_rules.as_text(found, history=history, set_only=said is not None)
    typer.echo(project_rules.as_json(found) if as_json else text)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container's user need not have a name
        return "somebody"


@contextmanager
def _errors_told() -> Iterator[None]:
    """What cannot be done is said, and is the exit status."""
    try:
        yield
    except (CannotDiagnose, NoAnswer, RuleRefused, project_rules.NotUnderstood) as error:
        typer.echo(f"trainvitals: {error}", err=True)
        is_told = isinstance(error, (CannotDiagnose, NoAnswer))
        raise typer.Exit(NOT_DONE if is_told else NOT_UNDERSTOOD) from None


@commands.command()
def diagnose(
    what: Annotated[str, typer.Argument(help=WHAT_IS_DIAGNOSED)],
    output: Annotated[Literal["text", "json"], typer.Option("--format", help="For people, or for programs.")] = "text",
    fail_on: Annotated[
        Literal["info", "warning", "critical"], typer.Option(help="Exit 3 if a finding is as grave.")
    ] = "warning",
    mute: Annotated[list[str] | None, typer.Option(help="A rule that is not to judge; may be repeated.")] = None,
    option: Annotated[
        list[str] | None, typer.Option(help="rule.option=value, for a run in a file; may be repeated.")
    ] = None,
    loss: Annotated[str | None, typer.Option(help="The metric that is the training loss, for a run in a file.")] = None,
    validation_loss: Annotated[
        str | None, typer.Option(help="The metric that is the validation's loss, for a run in a file.")
    ] = None,
    server_url: ServerUrl = None,
) -> None:
    """Tell what is wrong with a run. Exit 0: nothing beyond what is worth knowing; 3: something; 1: not known."""
    server = Server.of(os.environ, url=server_url)
    with _errors_told():
        options = project_rules.read_options(option or ())
        definitions = defined(loss=loss, validation_loss=validation_loss)
        findings = findings_of(what, server, mute=mute or (), options=options, definitions=definitions)
        stages = None if output == "json" else checklist_of(what, server)
    typer.echo(
        as_json(findings) if output == "json" else as_text(findings, looked_at="" if findings else looked_at(what))
    )
    if stages is not None:
        typer.echo(f"\n{stages_as_text(stages)}")
    raise typer.Exit(SICK if is_sick(findings, at=fail_on) else 0)
