"""Files, folders and names: what is there is read, what is not is an error."""

from __future__ import annotations

import importlib.util
import os
import threading
from pathlib import Path

import pytest

from cpsched.errors import InputError, UnknownNameError
from cpsched.instances import (
    FORMATS,
    MAX_BYTES,
    dumps,
    folder_files,
    library,
    parse,
    read,
    read_folder,
    write,
    writing,
)
from cpsched.instances.generate import uniform

ONE = b"1 1\n0 1\n"


def test_a_shipped_name():
    assert read("ta01") == library.load("ta01")
    assert read(Path("ta01")) == library.load("ta01")


def test_an_existing_file_comes_before_a_shipped_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("ta01").write_bytes(ONE)
    assert read("ta01").num_jobs == 1


@pytest.mark.parametrize("name", ["ta1", "TA01", "ta001"])
def test_an_unknown_name_lists_near_misses(name):
    message = rf"^unknown instance '{name}'; did you mean ta01\?$"
    with pytest.raises(UnknownNameError, match=message):
        read(name)


@pytest.mark.parametrize("name", ["ta01.txt", "./ta01", "none/ta01", "ta01/"])
def test_what_looks_like_a_path_is_never_taken_for_a_name(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"no such file$") as caught:
        read(name)
    assert not isinstance(caught.value, UnknownNameError)


def test_paths_that_lead_nowhere(tmp_path):
    (tmp_path / "file").write_bytes(ONE)
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    for path in (tmp_path / "file" / "below", tmp_path / "link"):
        with pytest.raises(InputError, match="no such file"):
            read(path)


@pytest.mark.parametrize("name", ["", "a\0b", "n" * 5000])
def test_impossible_names(name):
    with pytest.raises(InputError):
        read(name)


def test_a_folder_is_not_a_file(tmp_path):
    with pytest.raises(InputError, match="is a folder, not a file"):
        read(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_no_permission(tmp_path):
    path = tmp_path / "x.txt"
    path.write_bytes(ONE)
    path.chmod(0)
    with pytest.raises(InputError, match=r"x\.txt: cannot be read: Permission denied"):
        read(path)


def test_the_system_refuses_to_open(tmp_path, monkeypatch):
    path = tmp_path / "x.txt"
    path.write_bytes(ONE)

    def refuse(*_args, **_kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InputError, match=r"x\.txt: cannot be read: Permission denied"):
        read(path)


def test_100_megabytes_are_refused_unread(tmp_path):
    path = tmp_path / "x.txt"
    with path.open("wb") as file:
        file.truncate(100_000_000)
    with pytest.raises(InputError, match=f"100000000 bytes, more than the {MAX_BYTES} bytes"):
        read(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_read_like_a_file(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(ONE,))
    writer.start()
    assert read(path).num_jobs == 1
    writer.join()


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no /dev/zero here")
def test_an_endless_stream_is_cut_off():
    with pytest.raises(InputError, match=f"more than the {MAX_BYTES} bytes"):
        read("/dev/zero")


def test_folder_in_natural_order(tmp_path):
    for name in ("a10.txt", "a2.jsp", "a1.fjs", "b", ".hidden", "README", "LICENSE.txt", "x.csv"):
        (tmp_path / name).write_bytes(ONE if name[0] in "ab" else b"no instance")
    (tmp_path / "a1.fjs").write_bytes(b"1 1 1\n1 1 1 1\n")
    (tmp_path / "c").mkdir()
    assert [instance.name for instance in read_folder(tmp_path)] == ["a1", "a2", "a10", "b"]


def test_files_of_a_folder_without_one(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(ONE)
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert folder_files(tmp_path, without=tmp_path / "link") == [tmp_path / "b"]


def test_a_malformed_file_in_a_folder_is_an_error(tmp_path):
    (tmp_path / "a.txt").write_bytes(ONE)
    (tmp_path / "b.txt").write_bytes(b"1 2\n0 1 1\n")
    with pytest.raises(InputError, match=r"b\.txt:2: expected 4 numbers"):
        read_folder(tmp_path)


def test_folder_without_instances(tmp_path):
    (tmp_path / "notes.md").write_text("none")
    with pytest.raises(InputError, match="the folder holds no instance"):
        read_folder(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        read_folder(tmp_path / "none")
    with pytest.raises(InputError, match="is a file, not a folder"):
        read_folder(tmp_path / "notes.md")


def test_the_system_refuses_to_list(tmp_path, monkeypatch):
    def refuse(_path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(InputError, match=r"cannot be read: Permission denied"):
        read_folder(tmp_path)


@pytest.mark.parametrize("name", FORMATS)
def test_lines_of_more_than_a_megabyte(name):
    instance = uniform(2, 150_000, seed=0, name="wide")
    content = dumps(instance, name)
    assert name == "taillard" or max(map(len, content.splitlines())) > 1_500_000
    assert parse(content.encode(), "wide.txt") == instance


def test_what_could_not_be_read_back_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "MAX_BYTES", 20)
    with pytest.raises(InputError, match=r"16 operations, would .* at most 20 bytes can be read"):
        write(uniform(4, 4, seed=0), tmp_path / "x.txt", "jsplib")
    assert not (tmp_path / "x.txt").exists()


@pytest.mark.parametrize("name", ["ta", "dmu"])
def test_a_set_is_not_an_instance(name):
    with pytest.raises(UnknownNameError, match=rf"{name} is a set of 80 .*cpsched bench {name}"):
        read(name)


def test_the_folder_cannot_be_imported_under_its_own_name():
    path = Path(library.__file__).with_name("__init__.py")
    spec = importlib.util.spec_from_file_location("instances", path)
    with pytest.raises(ImportError, match=r"import this package as cpsched\.instances"):
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
