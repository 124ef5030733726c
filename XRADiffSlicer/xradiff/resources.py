"""Files that are shipped beside the code."""

from __future__ import annotations

from pathlib import Path

from .errors import MissingDependencyError

__all__ = ["resource"]

# In the repository and in Slicer Resources/ lies beside this package; a wheel carries it inside.
PLACES = (Path(__file__).parents[1] / "Resources", Path(__file__).parent / "_resources")


def resource(name: str) -> Path:
    """Return the path of the shipped file or folder `name`, given relative to Resources/.

    Raises:
        MissingDependencyError: it is not there, so the installation is incomplete.
    """
    for place in PLACES:
        if (place / name).exists():
            return place / name
    raise MissingDependencyError(f"the shipped resource {name} is missing in {PLACES[0]}; install XRADiffSlicer again")
