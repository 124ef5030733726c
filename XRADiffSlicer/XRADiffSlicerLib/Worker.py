"""A reconstruction in a process of its own: JSON lines in, a way to stop it, a readable reason if it fails."""

from __future__ import annotations

import enum
import json
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

from .Launchers import Launcher, defaultLauncher, killProcessGroup, killProcessTree, pythonExecutable

CANCELLED_CODE = 130
GRACE_SECONDS = 0.2
WATCH_SECONDS = 0.5
PROGRAM = ("-m", "XRADiffSlicerLib.WorkerMain")
LONGEST_LINE = 2000
MOST_LOG_LINES = 2000
MODULE_FOLDER = Path(__file__).resolve().parents[1]


Steps = Generator[None, None, Callable[[], None]]


class State(enum.Enum):
    """What the worker is doing."""

    IDLE = "idle"
    RUNNING = "running"
    CANCELLING = "cancelling"
    FINISHING = "finishing"


class Worker:
    """Runs `python -m xradiff ...` beside the application.

    The process prints one ASCII JSON object a line: {"type": "started", "pid": p}, where p leads a process group,
    {"type": "progress", "fraction": f, "message": m}, {"type": "result", ...} or {"type": "error", "message": m};
    every other line goes to the log. It is asked to stop by creating a file, and ended with all its children when it
    does not within `graceSeconds`. What it leaves running when it ends, or crashes, is ended too.

    :ivar result: what the process said of its result, empty before.
    :param launcher: see `Launchers.Launcher`; None for the one that suits where this runs.
    :param onProgress: called with a fraction (0 to 1) and a message.
    :param onLog: called with each other line, at most `MOST_LOG_LINES` times.
    :param onSuccess: called when the process has made a result; returns what is then to be done here, a generator
      that is advanced once in a turn of the event loop and returns a function to call when the worker is idle again;
      or None.
    :param onFailure: called with one line for the user, and whether the user cancelled.
    """

    def __init__(
        self,
        launcher: Launcher | None = None,
        *,
        onProgress: Callable[[float, str], None],
        onLog: Callable[[str], None],
        onSuccess: Callable[[], Steps | None],
        onFailure: Callable[[str, bool], None],
        graceSeconds: float = GRACE_SECONDS,
    ) -> None:
        self._launcher = launcher or defaultLauncher()
        self._onProgress, self._onLog = onProgress, onLog
        self._onSuccess, self._onFailure = onSuccess, onFailure
        self._graceSeconds = graceSeconds
        self._process: Any = None
        self._group = 0
        self._steps: Steps | None = None
        self._cancelFile: Path | None = None
        self._error = ""
        self.result: dict[str, Any] = {}
        self._logged = 0
        self._silenced = False
        self.state = State.IDLE

    @property
    def running(self) -> bool:
        """Whether the process is at work, or what it made is being taken over."""
        return self.state is not State.IDLE

    def start(self, arguments: Sequence[str], cancelFile: Path, program: Sequence[str] = PROGRAM) -> None:
        """Start the interpreter with `program`, `arguments` and the cancel file.

        :raises RuntimeError: it is running already, or the process could not be started.
        """
        if self.running:
            raise RuntimeError("the worker is running already")
        self._cancelFile, self._group = cancelFile, 0
        command = [pythonExecutable(), *program, *arguments, "--cancel-file", str(cancelFile)]
        environment = {"PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8:backslashreplace"}
        self.state = State.RUNNING
        try:
            # From the module folder, where `-m` finds the core before any installed copy of it.
            self._process = self._launcher.launch(
                command, environment, MODULE_FOLDER, self._onLine, self._onProcessFinished
            )
        except OSError as error:
            self.state = State.IDLE
            raise RuntimeError(f"the worker process could not be started: {error}") from None
        self._launcher.later(WATCH_SECONDS, self._watch)

    def cancel(self) -> None:
        """Ask the process to stop; end it by force after the grace time."""
        if self.state is State.FINISHING:
            self._drop()
            self._onFailure("cancelled", True)
        if self.state is not State.RUNNING:
            return
        self.state = State.CANCELLING
        if self._cancelFile is not None:
            self._cancelFile.touch()
        self._launcher.later(self._graceSeconds, self._kill)

    def abort(self) -> None:
        """End the process at once and report nothing more (the scene or the application is closing)."""
        self._silenced = True
        if self.state is State.FINISHING:
            self._drop()
        if self.running:
            self._endProcesses()
            self.state = State.IDLE

    def wait(self, seconds: float = 600) -> None:
        """Wait until the work is done, delivering what the process reports.

        :raises TimeoutError: it is still running after `seconds`.
        """
        end = time.monotonic() + seconds
        while self.running:
            self._launcher.pump()
            if time.monotonic() > end:
                raise TimeoutError(f"the worker is still running after {seconds:g} s")
            time.sleep(0.01)

    def _kill(self) -> None:
        if self.state is State.CANCELLING and self._process is not None:
            self._endProcesses()

    def _watch(self) -> None:
        """End what a dead process left behind: it holds the pipe open, and the end would never be reported."""
        if self.state in (State.RUNNING, State.CANCELLING):
            if self._process.poll() is not None:
                killProcessGroup(self._group)
            self._launcher.later(WATCH_SECONDS, self._watch)

    def _endProcesses(self) -> None:
        killProcessTree(self._process.pid)
        killProcessGroup(self._group)

    def _onLine(self, text: str) -> None:
        if self._silenced:
            return
        line = text.rstrip()
        message = _parse(line)
        kind = message.get("type")
        if kind == "progress":
            self._onProgress(min(max(float(message["fraction"]), 0.0), 1.0), str(message.get("message", "")))
        elif kind == "started":
            self._group = int(message["pid"])
        elif kind == "result":
            self.result = message
        elif kind == "error":
            self._error = str(message.get("message", ""))
        elif line:
            self._log(line)

    def _log(self, line: str) -> None:
        self._logged += 1
        if self._logged <= MOST_LOG_LINES:
            self._onLog(line[:LONGEST_LINE])
        elif self._logged == MOST_LOG_LINES + 1:
            self._onLog("(the worker prints more than is shown here)")

    def _onProcessFinished(self, code: int) -> None:
        wasCancelled = self.state is State.CANCELLING
        self.state = State.IDLE
        killProcessGroup(self._group)
        if self._silenced:
            return
        if code == 0 and self.result and not wasCancelled:
            self._steps = self._onSuccess()
            if self._steps is not None:
                self.state = State.FINISHING
                self._launcher.later(0, self._step)
        elif wasCancelled or code == CANCELLED_CODE:
            self._onFailure("cancelled", True)
        else:
            self._onFailure(self._error or _reasonFor(code), False)

    def _step(self) -> None:
        """Do one step of what is left to do here."""
        if self._steps is None:
            return
        try:
            next(self._steps)
        except StopIteration as end:
            self.state, self._steps = State.IDLE, None
            end.value()
            return
        except BaseException as error:
            self.state, self._steps = State.IDLE, None
            self._onFailure(f"what the worker made could not be taken over: {error}", False)
            raise
        self._launcher.later(0, self._step)

    def _drop(self) -> None:
        steps, self._steps, self.state = self._steps, None, State.IDLE
        if steps is not None:
            steps.close()


def _parse(line: str) -> dict[str, Any]:
    """The JSON object in a line of the protocol, or an empty one for any other line."""
    try:
        message = json.loads(line) if line.startswith("{") else None
    except ValueError:
        return {}
    if not isinstance(message, dict):
        return {}
    number = {"progress": "fraction", "started": "pid"}.get(message.get("type", ""))
    if number is not None and not isinstance(message.get(number), (int, float)):
        return {}
    return message


def _reasonFor(code: int) -> str:
    """One line for a process that ended without saying why."""
    if code == 0:
        return "the worker ended without a result; see the log"
    if code in (-9, 137):
        return "the worker was ended by the system, most likely for lack of memory; try a larger voxel spacing"
    if code < 0 or code > 0x80000000:  # a signal; on Windows the number of an exception
        return f"the worker crashed ({f'signal {-code}' if code < 0 else f'{code:#x}'}); see the log"
    return f"the worker failed (exit code {code}); see the log"
