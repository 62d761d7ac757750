"""The README tells the truth: its commands parse, its Python runs."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer

from cpsched.cli import app

README = (Path(__file__).resolve().parents[2] / "README.md").read_text()
LINES = re.findall(r"^\$ (.*\bcpsched\b.*)$", README, flags=re.MULTILINE)
COMMANDS = [
    words
    for line in LINES
    for part in line.split("#")[0].split("|")
    if (words := shlex.split(part))[0] == "cpsched"
]


def options_of(words: list[str]) -> tuple[set[str], list[str]]:
    """Options that the subcommand *words* names knows, and the words after its name."""
    command = typer.main.get_command(app)
    rest = words[1:]
    while hasattr(command, "commands"):
        command = command.commands[rest[0]]
        rest = rest[1:]
    return {option for parameter in command.params for option in parameter.opts}, rest


def test_readme_shows_every_subcommand() -> None:
    shown = {words[1] for words in COMMANDS}
    assert shown == set(typer.main.get_command(app).commands)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_options_exist(words: list[str]) -> None:
    known, rest = options_of(words)
    assert {word for word in rest if re.match(r"--?[a-z]", word)} <= known


def test_python_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    exec(compile(example, "README.md", "exec"), {})
    assert "optimal 945 945" in capsys.readouterr().out
