"""One worker process at a time, its temporary files, and what becomes of what it made."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

from .Worker import Steps, Worker

Take = Callable[[Path], Generator[None, None, Any]]


class WorkerLogic:
    """Starts `python -m xradiff ...` and takes over its files in steps that leave the application alive.

    :param launcher: starts processes; None for the one that suits where this runs (see `Launchers`).
    """

    def __init__(self, launcher: Any = None) -> None:
        self.launcher = launcher
        self.worker: Worker | None = None
        self._removeFiles: Callable[[], Any] = ignore

    @property
    def running(self) -> bool:
        """Whether a worker process is at work, or what it made is being taken over."""
        return self.worker is not None and self.worker.running

    def cancel(self) -> None:
        """Ask the worker to stop; it is ended by force when it does not answer."""
        if self.worker is not None:
            self.worker.cancel()

    def removeTemporaryFiles(self) -> None:
        """Delete the files of the last worker run; stops a run that is at work."""
        if self.worker is not None and self.running:
            self.worker.abort()
        self._removeFiles()

    def refuseSecond(self) -> None:
        """Raise where a worker is at work.

        :raises RuntimeError: it is; the message is one line for the user.
        """
        if self.running:
            raise RuntimeError("something is running already; cancel it first")

    def startWorker(
        self,
        arguments: Callable[[Path], Sequence[str]],
        take: Take,
        what: str,
        *,
        onProgress: Callable[[float, str], None],
        onLog: Callable[[str], None],
        onFinished: Callable[[Any], None],
        onFailed: Callable[[str, bool], None],
    ) -> Worker:
        """Start a worker with a new folder for its files, which is deleted when all is done, and return at once.

        :param arguments: writes the worker's input into the folder and returns what follows `python -m xradiff`.
        :param take: takes over what is in the folder: a generator that is advanced once in a turn of the event loop
          and returns what `onFinished` gets.
        :param what: words for what is taken over, for the message where that fails.
        :param onFailed: called with one line for the user, and whether the user cancelled.
        :raises RuntimeError: a worker is at work already.
        """
        self.refuseSecond()
        folder = Path(tempfile.mkdtemp(prefix="XRADiffSlicer-"))

        def finish() -> Steps:
            try:
                found = yield from take(folder)
            except (OSError, ValueError, KeyError) as error:
                message = f"{what} could not be loaded: {error}"
                return lambda: fail(message, False)
            return lambda: succeed(found)

        def succeed(found: Any) -> None:
            remove()
            onFinished(found)

        def fail(message: str, cancelled: bool) -> None:
            remove()
            onFailed(message, cancelled)

        worker = Worker(self.launcher, onProgress=onProgress, onLog=onLog, onSuccess=finish, onFailure=fail)
        remove = self._removeFiles = weakref.finalize(worker, shutil.rmtree, folder, ignore_errors=True)
        try:
            worker.start(arguments(folder), cancelFile=folder / "cancel")
        except BaseException:
            remove()
            raise
        self.worker = worker
        return worker


def ignore(*_args: Any) -> None:
    """Report nothing."""
