"""Ctrl-C and SIGTERM, on the real process."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from cpsched import solving
from cpsched.cli.interrupt import stop_on_signal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


@pytest.fixture(scope="module", autouse=True)
def _warm() -> None:
    solving.prepare()


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a Python process; end and close it with the test, however that ends."""
    with contextlib.ExitStack() as stack:

        def run(*args: object, **options: Any) -> subprocess.Popen[str]:
            options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
            command = [sys.executable, *(str(arg) for arg in args)]
            process = subprocess.Popen(command, text=True, **options)
            stack.enter_context(process)  # closes the pipes and waits
            stack.callback(process.kill)
            return process

        yield run


def wait_for(path: Path, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < end, f"{path} did not appear"
        time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_with_the_best_found_checked_and_written(
    start: Callable[..., subprocess.Popen[str]],
    number: signal.Signals,
    tmp_path: Path,
    tiny_file: Path,
) -> None:
    output = tmp_path / "out.jsonl"
    options = ("-t", "100", "-w", "1", "-f", "json", "-o", output)
    process = start("-m", "cpsched", "solve", tiny_file, "ta41", "ta42", *options)
    wait_for(output)  # the first instance is done, the second has begun
    time.sleep(2)
    begin = time.monotonic()
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=60)
    assert time.monotonic() - begin < 20  # an idle machine needs a tenth of a second
    assert process.returncode == 1, stderr
    assert "interrupted, 1 of 3 instances not started" in stderr
    assert "Traceback" not in stderr
    records = [json.loads(line) for line in stdout.splitlines()]
    assert [record["instance"] for record in records] == ["tiny", "ta41"]
    assert records[1]["status"] == "feasible"
    assert output.read_text() == stdout
    validated = start("-m", "cpsched", "validate", "ta41", output)
    assert "ta41: valid" in validated.communicate(timeout=60)[0]


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_second_signal_ends_at_once(
    start: Callable[..., subprocess.Popen[str]], second: signal.Signals
) -> None:
    script = (
        "import signal, sys, time\n"
        "from cpsched.cli.interrupt import stop_on_signal\n"
        "with stop_on_signal() as stop:\n"
        "    print('ready', flush=True)\n"
        "    stop.wait()\n"
        "    print('stopping', flush=True)\n"
        "    time.sleep(60)\n"
    )
    process = start("-c", script)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "stopping\n"
    process.send_signal(second)
    assert process.communicate(timeout=30) == ("", "error: interrupted\n")
    assert process.returncode == 128 + second


@pytest.mark.parametrize(
    "ending", ["time.sleep(60)", "threading.Thread(target=time.sleep, args=(60,)).start()"]
)
def test_second_signal_while_the_process_ends(
    start: Callable[..., subprocess.Popen[str]], ending: str
) -> None:
    """After the block: in what is finished, and while the interpreter joins its threads."""
    script = (
        "import threading, time\n"
        "from cpsched.cli.interrupt import stop_on_signal\n"
        "with stop_on_signal() as stop:\n"
        "    print('ready', flush=True)\n"
        "    stop.wait()\n"
        "print('stopping', flush=True)\n"
        f"{ending}\n"
    )
    process = start("-c", script)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "stopping\n"
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=30) == ("", "error: interrupted\n")
    assert process.returncode == 130


def test_signal_while_the_commands_are_imported(
    start: Callable[..., subprocess.Popen[str]],
) -> None:
    script = (
        "import os, signal, sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'typer':\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Finder())\n"
        "from cpsched.cli import main\n"
        "main(['solve', 'ft06'])\n"
    )
    process = start("-c", script)
    assert process.communicate(timeout=60) == ("", "error: interrupted\n")
    assert process.returncode == 130


def test_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with stop_on_signal():
        assert signal.getsignal(signal.SIGINT) is not before[0]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_live_line_on_a_terminal_only(start: Callable[..., subprocess.Popen[str]]) -> None:
    """On a terminal one line is redrawn on stderr; stdout stays clean."""
    master, slave = pty.openpty()
    process = start(
        *["-m", "cpsched", "solve", "ta41", "-t", "2", "-w", "1", "-f", "json"],
        stderr=slave,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
    )
    os.close(slave)
    assert process.stdout is not None
    stdout = process.stdout.read()
    process.wait(timeout=60)
    drawn = b""
    with contextlib.suppress(OSError):  # how Linux reports the end of a terminal
        while chunk := os.read(master, 65536):
            drawn += chunk
    os.close(master)
    drawn = drawn.rpartition(b"\n")[2]  # a note that kernels are compiled may come before
    assert b"makespan" in drawn
    assert b"of 2 s" in drawn
    assert b"\x1b[?25l" not in drawn, "the cursor must not be hidden"
    assert drawn.endswith(b"\x1b[2K"), "the line is removed at the end"
    assert json.loads(stdout)["instance"] == "ta41"


def test_closed_pipe_is_no_traceback(start: Callable[..., subprocess.Popen[str]]) -> None:
    process = start(*["-m", "cpsched", "instances", "export", "ta71"])
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert "Traceback" not in process.stderr.read()


def test_threads_that_are_left_do_not_hold_up_the_end(
    start: Callable[..., subprocess.Popen[str]],
) -> None:
    script = (
        "import atexit, sys, threading, time\n"
        "from cpsched.cli import main\n"
        "atexit.register(print, 'at exit')\n"
        "threading.Thread(target=time.sleep, args=(60,)).start()\n"
        "sys.argv[1:] = ['instances', 'list', 'nothing']\n"
        "main()\n"
    )
    process = start("-c", script)
    stdout, stderr = process.communicate(timeout=30)
    assert (process.returncode, stdout) == (2, "at exit\n")
    assert stderr.startswith("error: ")
