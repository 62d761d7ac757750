from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from cpsched.cli.files import OutputFile
from cpsched.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path


def test_checking_leaves_nothing_behind(tmp_path: Path) -> None:
    OutputFile(str(tmp_path / "new.json"))
    assert list(tmp_path.iterdir()) == []


def test_checking_does_not_touch_an_existing_file(tmp_path: Path) -> None:
    path = tmp_path / "old.json"
    path.write_text("old")
    OutputFile(str(path))
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_write_replaces_the_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    path.write_text("a long old content")
    output = OutputFile(str(path))
    with path.open() as reader:
        output.write("new")
        assert reader.read() == "a long old content", "an open reader keeps the old file"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out.json"
    path.write_text("old")
    output = OutputFile(str(path))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(InputError, match=r"out\.json: could not be written: no space left"):
        output.write("new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    target, link = tmp_path / "target.json", tmp_path / "link.json"
    link.symlink_to(target)
    OutputFile(str(link)).write("new")
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_new_file_obeys_the_umask(tmp_path: Path) -> None:
    previous = os.umask(0o027)
    try:
        OutputFile(str(tmp_path / "out.json")).write("new")
    finally:
        os.umask(previous)
    assert (tmp_path / "out.json").stat().st_mode & 0o777 == 0o640


def test_existing_file_keeps_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    path.write_text("old")
    for mode in (0o600, 0o664):
        path.chmod(mode)
        OutputFile(str(path)).write("new")
        assert path.stat().st_mode & 0o777 == mode


def test_suffix_is_compared_without_case(tmp_path: Path) -> None:
    assert OutputFile(str(tmp_path / "A.PNG"), suffixes=[".png", ".svg"]).suffix == ".png"
    with pytest.raises(InputError, match=r"must end in \.png or \.svg, not \.pdf"):
        OutputFile(str(tmp_path / "a.pdf"), suffixes=[".png", ".svg"])


def test_a_device_is_refused() -> None:
    with pytest.raises(InputError, match="not a regular file"):
        OutputFile(os.devnull)
