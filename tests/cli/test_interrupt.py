"""Ctrl-C and SIGTERM, on the real process."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from cpsched import solving

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


@pytest.fixture(scope="module", autouse=True)
def _warm() -> None:
    solving.prepare()


def start(*args: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "cpsched", *(str(arg) for arg in args)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(path: Path, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < end, f"{path} did not appear"
        time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_with_the_best_found_checked_and_written(
    number: signal.Signals, tmp_path: Path
) -> None:
    output = tmp_path / "out.jsonl"
    process = start(
        "solve", "ft06", "ta41", "ta42", "-t", "100", "-w", "1", "-f", "json", "-o", output
    )
    wait_for(output)  # the first instance is done, the second has begun
    time.sleep(2)
    begin = time.monotonic()
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=30)
    assert time.monotonic() - begin < 5
    assert process.returncode == 0, stderr
    assert "interrupted, 1 of 3 instances not started" in stderr
    assert "Traceback" not in stderr
    records = [json.loads(line) for line in stdout.splitlines()]
    assert [record["instance"] for record in records] == ["ft06", "ta41"]
    assert records[1]["status"] == "feasible"
    assert records[1]["wall_time_s"] < 60
    assert output.read_text() == stdout
    validated = subprocess.run(
        [sys.executable, "-m", "cpsched", "validate", "ta41", str(output)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert validated.returncode == 0, validated.stderr


def test_second_signal_ends_at_once(tmp_path: Path) -> None:
    script = (
        "import signal, sys, time\n"
        "from cpsched.cli.interrupt import stop_on_signal\n"
        "with stop_on_signal() as stop:\n"
        "    print('ready', flush=True)\n"
        "    stop.wait()\n"
        "    print('stopping', flush=True)\n"
        "    time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "stopping\n"
    process.send_signal(signal.SIGINT)
    process.stdout.close()
    assert process.wait(timeout=10) == -signal.SIGINT


def test_handlers_are_put_back() -> None:
    from cpsched.cli.interrupt import stop_on_signal

    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with stop_on_signal():
        assert signal.getsignal(signal.SIGINT) is not before[0]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_live_line_on_a_terminal_only() -> None:
    """On a terminal one line is redrawn on stderr; stdout stays clean."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "cpsched", *["solve", "ta41", "-t", "2", "-w", "1", "-f", "json"]],
        stdout=subprocess.PIPE,
        stderr=slave,
        text=True,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
    )
    os.close(slave)
    assert process.stdout is not None
    stdout = process.stdout.read()
    process.stdout.close()
    process.wait(timeout=30)
    drawn = b""
    while True:
        try:
            chunk = os.read(master, 65536)
        except OSError:  # how Linux reports the end of a terminal
            break
        if not chunk:
            break
        drawn += chunk
    os.close(master)
    assert b"makespan" in drawn
    assert b"of 2 s" in drawn
    assert b"\n" not in drawn
    assert b"\x1b[?25l" not in drawn, "the cursor must not be hidden"
    assert drawn.endswith(b"\x1b[2K"), "the line is removed at the end"
    assert json.loads(stdout)["instance"] == "ta41"


def test_closed_pipe_is_no_traceback() -> None:
    process = start("instances", "export", "ta71")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    stderr = process.stderr.read()
    process.stderr.close()
    process.wait(timeout=30)
    assert "Traceback" not in stderr
