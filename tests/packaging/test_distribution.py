"""What a user installs: one top-level name, every package and data file, wheel and sdist alike."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINKED = ("agents", "envs", "instances")


def package_files(tree: Path) -> set[str]:
    """Every file of the package in *tree*, also behind the links."""
    package = tree / "cpsched"
    folders = [package, *(package / name for name in LINKED)]
    return {
        path.relative_to(tree).as_posix()
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A copy of the tree, the wheel built from it, the sdist, and the wheel built from that."""
    # Built from a copy, so that no build folder is left in the checkout.
    work = tmp_path_factory.mktemp("build")
    tree = work / "tree"
    tree.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree)
    for name in ("cpsched", *LINKED):
        shutil.copytree(
            ROOT / name, tree / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__")
        )
    build = [sys.executable, "-m", "build", "--no-isolation"]
    for out, kinds in (("direct", ["--wheel"]), ("chain", ["--sdist", "--wheel"])):
        where = tree
        for kind in kinds:
            command = [*build, kind, "--outdir", str(work / out), str(where)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
            if kind == "--sdist":
                (archive,) = (work / out).glob("*.tar.gz")
                with tarfile.open(archive) as tar:
                    tar.extractall(work / "unpacked", filter="data")
                (where,) = (work / "unpacked").iterdir()
    return {
        "tree": tree,
        "wheel": next((work / "direct").glob("*.whl")),
        "sdist": next((work / "chain").glob("*.tar.gz")),
        "wheel of sdist": next((work / "chain").glob("*.whl")),
    }


def contents(wheel: Path) -> dict[str, int]:
    """File names of *wheel* with their checksums, without its own metadata."""
    with zipfile.ZipFile(wheel) as archive:
        return {
            entry.filename: entry.CRC
            for entry in archive.infolist()
            if ".dist-info/" not in entry.filename
        }


def test_only_top_level_name_is_cpsched(built: dict[str, Path]) -> None:
    with zipfile.ZipFile(built["wheel"]) as archive:
        tops = {name.split("/")[0] for name in archive.namelist()}
    others = tops - {"cpsched"}
    assert "cpsched" in tops
    assert len(others) == 1
    assert others.pop().endswith(".dist-info")


def test_wheel_holds_every_file_of_the_package(built: dict[str, Path]) -> None:
    assert set(contents(built["wheel"])) == package_files(built["tree"])


@pytest.mark.parametrize(
    "name",
    [
        "cpsched/py.typed",
        "cpsched/jobshop/__init__.py",
        "cpsched/envs/__init__.py",
        "cpsched/agents/__init__.py",
        "cpsched/instances/__init__.py",
        "cpsched/cli/__init__.py",
        "cpsched/instances/data/jobshop/ta01.json",
        "cpsched/instances/data/jobshop/dmu80.json",
        "cpsched/instances/data/jobshop/best_known.csv",
        "cpsched/instances/data/jobshop/NOTICE",
    ],
)
def test_wheel_holds(built: dict[str, Path], name: str) -> None:
    assert name in contents(built["wheel"])


def test_sdist_builds_the_same_wheel(built: dict[str, Path]) -> None:
    assert contents(built["wheel of sdist"]) == contents(built["wheel"])


def test_sdist_holds_no_link(built: dict[str, Path]) -> None:
    with tarfile.open(built["sdist"]) as archive:
        assert not [entry.name for entry in archive if entry.issym() or entry.islnk()]


def test_wheel_carries_every_licence(built: dict[str, Path]) -> None:
    with zipfile.ZipFile(built["wheel"]) as archive:
        names = [name for name in archive.namelist() if ".dist-info/licenses/" in name]
    assert sorted(name.rsplit("/", 1)[1] for name in names) == ["LICENSE", "NOTICE"]


def test_wheel_names_the_command(built: dict[str, Path]) -> None:
    with zipfile.ZipFile(built["wheel"]) as archive:
        (entry,) = (name for name in archive.namelist() if name.endswith("entry_points.txt"))
        assert "cpsched = cpsched.cli:main" in archive.read(entry).decode()
