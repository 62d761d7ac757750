from __future__ import annotations

import contextlib
import importlib.util
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import remote_tasks

from cpsched import remote
from cpsched.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Ray leaves sockets and pipes to the collector, which pytest would report anywhere.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="needs the extra ray"
)


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """A Ray of two cores that stays for all tests of this module."""
    before = os.environ.get("PYTHONPATH", "")
    here = Path(__file__).resolve().parent
    os.environ["PYTHONPATH"] = os.pathsep.join([str(here), str(here.parent), before])
    try:
        with remote._session("local"):
            yield "local"
    finally:
        os.environ["PYTHONPATH"] = before


@pytest.fixture(params=[None, pytest.param("local", marks=needs_ray)], ids=["processes", "ray"])
def address(request: pytest.FixtureRequest) -> str | None:
    """Where to scatter to; every test below holds for both."""
    if request.param is not None:
        request.getfixturevalue("cluster")
    return request.param


def test_every_task_is_done_once(address: str | None) -> None:
    found = dict(remote.scatter(remote_tasks.square, range(20), address=address, jobs=2))
    assert found == {number: number * number for number in range(20)}


def test_no_task_is_no_work(address: str | None) -> None:
    assert list(remote.scatter(remote_tasks.square, [], address=address, jobs=2)) == []


def test_results_come_in_order_of_completion(address: str | None) -> None:
    # Two workers are up after the first pair, whatever they took to start.
    delays = [0.0, 0.0, 3.0, 0.1]
    found = list(remote.scatter(remote_tasks.process, delays, address=address, jobs=2))
    assert [index for index, _ in found][-1] == 2
    assert os.getpid() not in {process for _, process in found}


def test_a_task_whose_worker_died_is_given_to_another(address: str | None, tmp_path: Path) -> None:
    marker = str(tmp_path / "died")
    found = list(remote.scatter(remote_tasks.die_once, [marker], address=address, jobs=1))
    assert found == [(0, "alive")]


def test_a_task_that_kills_its_workers_is_named(address: str | None) -> None:
    runs = remote.scatter(
        remote_tasks.die, [7], address=address, jobs=1, name=lambda task: f"run {task}"
    )
    with pytest.raises(InputError, match=r"^run 7: its worker died twice"):
        list(runs)


def test_errors_of_a_task_are_raised_here(address: str | None) -> None:
    runs = remote.scatter(remote_tasks.complain, [0], address=address, jobs=1)
    with pytest.raises(InputError) as caught:
        list(runs)
    assert str(caught.value) == "a.txt:3: this task cannot be done"


def test_stop_breaks_off_what_is_in_progress(address: str | None, tmp_path: Path) -> None:
    stop = threading.Event()
    marker = tmp_path / "began"

    def wait() -> None:
        end = time.monotonic() + 60
        while not (marker.exists() and marker.read_text()) and time.monotonic() < end:
            time.sleep(0.02)
        stop.set()

    thread = threading.Thread(target=wait)
    thread.start()
    runs = remote.scatter(remote_tasks.sleep, [str(marker)], address=address, jobs=1, stop=stop)
    assert list(runs) == []
    thread.join()
    assert gone(int(marker.read_text()))


def test_leaving_the_loop_ends_the_workers(tmp_path: Path) -> None:
    runs = remote.scatter(remote_tasks.process, [0.0, 600.0], jobs=2)
    _, worker = next(runs)
    runs.close()  # type: ignore[attr-defined]
    assert gone(worker)


def test_what_cannot_be_sent_back_is_said() -> None:
    with pytest.raises(RuntimeError, match="not sent back"):
        list(remote.scatter(remote_tasks.unpicklable, [0], jobs=1))


def test_workers_end_with_the_process_that_started_them(tmp_path: Path) -> None:
    marker = tmp_path / "began"
    code = (
        "from cpsched import remote\nimport remote_tasks\n"
        f"list(remote.scatter(remote_tasks.sleep, [{str(marker)!r}], jobs=1))\n"
    )
    tests = Path(__file__).resolve().parent
    path = os.pathsep.join([str(tests), str(tests.parent)])
    script = tmp_path / "script.py"
    script.write_text("if __name__ == '__main__':\n" + "".join(f"    {one}\n" for one in
                      code.splitlines()))  # fmt: skip
    with subprocess.Popen([sys.executable, script], env={**os.environ, "PYTHONPATH": path}) as it:
        end = time.monotonic() + 60
        while not (marker.exists() and marker.read_text()):
            assert time.monotonic() < end
            time.sleep(0.05)
        it.kill()
    assert gone(int(marker.read_text()))


def gone(process: int) -> bool:
    """Whether *process* ends within ten seconds."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if ") Z " not in Path(f"/proc/{process}/stat").read_text():
                time.sleep(0.05)
                continue
        return True
    return False


@pytest.mark.parametrize("address", ["", "nowhere", "host:x", "ray://host", "host:99999"])
@needs_ray
def test_an_address_that_is_none(address: str) -> None:
    with pytest.raises(InputError, match="is no address of a Ray"):
        remote.check_address(address)


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'cpsched\[ray\]'"):
        remote.check_address("local")


def test_a_worker_with_other_versions_is_refused() -> None:
    expected = {**remote._identity(), "ortools": "1.0"}
    with pytest.raises(InputError, match=r"ortools 9\.\S+ and not 1\.0: install the same"):
        remote._call(remote_tasks.square, 3, expected)
    assert remote._call(remote_tasks.square, 3, remote._identity()) == 9


@needs_ray
def test_a_task_too_large_for_every_node(cluster: str) -> None:
    with pytest.raises(InputError, match="no node of the Ray cluster has 9999 cores"):
        list(remote.scatter(remote_tasks.square, [1], address=cluster, cores=9999))
