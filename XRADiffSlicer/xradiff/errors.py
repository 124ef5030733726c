"""Errors with the exit code that the command line gives for each.

A message is one line for a user: what is wrong, the value received, what is accepted.
"""

from __future__ import annotations

__all__ = ["Cancelled", "InputError", "MissingDependencyError", "XRADiffError"]


class XRADiffError(Exception):
    """Base of every error that is meant for a user's eyes."""

    exit_code = 1


class InputError(XRADiffError, ValueError):
    """The input cannot be used; the message says why and what is accepted."""

    exit_code = 2


class MissingDependencyError(XRADiffError, ImportError):
    """A package or weight file is missing; the message says how to get it."""

    exit_code = 3


class Cancelled(XRADiffError):
    """The user asked for the run to stop."""

    exit_code = 130

    def __init__(self, message: str = "cancelled by the user; nothing was written") -> None:
        super().__init__(message)
