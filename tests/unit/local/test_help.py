"""What `todoke … --help` says: each command in a sentence, and nothing that is not Todoke's."""

import pytest
import typer
from typer.core import TyperGroup
from typer.testing import CliRunner

from todoke_local.cli import app


def test_every_command_says_what_it_does_and_offers_nothing_of_the_shells() -> None:
    """A newcomer reads commands alone; the options that install completions would come first in every group."""
    root = typer.main.get_command(app)
    assert isinstance(root, TyperGroup)
    todo: list[tuple[str, object]] = [("todoke", root)]
    seen = 0
    while todo:
        name, command = todo.pop()
        assert isinstance(command, typer.core.TyperCommand | TyperGroup), name
        assert command.help, name
        options = {option for parameter in command.params for option in parameter.opts}
        assert not {"--install-completion", "--show-completion"} & options, name
        seen += 1
        if isinstance(command, TyperGroup):
            context = typer.Context(command)
            todo += [(f"{name} {each}", command.get_command(context, each)) for each in command.list_commands(context)]
    assert seen > 40


@pytest.mark.parametrize(
    ("typed", "meant"), [("campaign", "campaigns"), ("delivery", "deliveries"), ("reports", "report")]
)
def test_a_command_that_is_mistyped_is_answered_with_the_nearest(typed: str, meant: str) -> None:
    """At the root as within its groups, though the root knows its commands by name alone until one is called."""
    told = CliRunner().invoke(app, [typed])
    assert told.exit_code == 2
    assert f"'{meant}'" in told.output
