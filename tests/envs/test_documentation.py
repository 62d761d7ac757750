"""The examples of docs/environment.md run as they stand, one after the other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("gymnasium", reason="needs the rl extra")
pytest.importorskip("sb3_contrib", reason="needs the rl extra")

PAGE = Path(__file__).resolve().parents[2] / "docs" / "environment.md"


def test_the_examples_run(capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    assert len(blocks) == 7
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
    assert capsys.readouterr().out
