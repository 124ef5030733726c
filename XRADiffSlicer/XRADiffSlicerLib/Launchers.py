"""How a process is started and watched: by Slicer's event loop, or by a thread where there is none."""

from __future__ import annotations

import os
import queue
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import slicer


class Launcher(Protocol):
    """Starts a process and reports what it says, always on the thread that asked for it."""

    def launch(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        onLine: Callable[[str], None],
        onFinished: Callable[[int], None],
    ) -> Any:
        """Start the process and return it (it has `pid` and `poll`) without waiting."""

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """Call `action` after `seconds`."""

    def pump(self) -> None:
        """Deliver what has arrived; for callers who wait."""


class SlicerLauncher:
    """Uses `slicer.util.launchConsoleProcess` and Qt timers; nothing blocks the application."""

    def launch(self, arguments, environment, folder, onLine, onFinished):  # type: ignore[no-untyped-def]
        return slicer.util.launchConsoleProcess(
            list(arguments),
            useStartupEnvironment=False,
            updateEnvironment=dict(environment),
            cwd=str(folder),
            blocking=False,
            logCallback=onLine,
            completedCallback=onFinished,
        )

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        import qt

        qt.QTimer.singleShot(round(seconds * 1000), action)

    def pump(self) -> None:
        slicer.app.processEvents()


class ThreadLauncher:
    """For scripts without an event loop: a thread reads, `pump` delivers."""

    def __init__(self) -> None:
        self._events: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()

    def launch(self, arguments, environment, folder, onLine, onFinished):  # type: ignore[no-untyped-def]
        process = subprocess.Popen(
            list(arguments),
            env={**os.environ, **environment},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )

        def read() -> None:
            with process:
                for line in process.stdout or ():
                    self._events.put(lambda line=line: onLine(line))  # type: ignore[misc]
            self._events.put(lambda: onFinished(process.returncode))

        threading.Thread(target=read, daemon=True).start()
        return process

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        timer = threading.Timer(seconds, lambda: self._events.put(action))
        timer.daemon = True
        timer.start()

    def pump(self) -> None:
        for _ in range(self._events.qsize()):  # what an event adds waits for the next call, or this might never end
            self._events.get()()


def defaultLauncher() -> Launcher:
    """Slicer's event loop when there is an application, else a thread."""
    return SlicerLauncher() if getattr(slicer, "app", None) is not None else ThreadLauncher()


def pythonExecutable() -> str:
    """Return the interpreter for worker processes: PythonSlicer inside the application."""
    return shutil.which("PythonSlicer") or sys.executable


def killProcessTree(pid: int) -> None:
    """End a process and all that it started; PythonSlicer is only a launcher of the real interpreter."""
    if os.name == "nt":
        subprocess.run(["taskkill", "/F", "/T", "/PID", str(pid)], capture_output=True, check=False)
        return
    import signal

    for member in [pid, *_descendants(pid)]:
        try:
            os.kill(member, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue


def killProcessGroup(leader: int) -> None:
    """End what is left of a process group; where there are none (Windows), or it is our own, nothing."""
    if leader <= 0 or not hasattr(os, "killpg") or leader == os.getpgrp():
        return
    import signal
    from contextlib import suppress

    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def _descendants(pid: int) -> list[int]:
    """Children, their children and so on, from psutil or from `ps`."""
    try:
        import psutil
    except ImportError:
        listing = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=False).stdout
        pairs = [tuple(int(number) for number in line.split()) for line in listing.splitlines()]
        found: list[int] = []
        level = [pid]
        while level:
            level = [child for child, parent in pairs if parent in level]
            found += level
        return found
    try:
        return [child.pid for child in psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
