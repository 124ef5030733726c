"""What postprocessing does, as data."""

from __future__ import annotations

from dataclasses import dataclass

from ..checks import check_choice, check_range
from ..errors import InputError

__all__ = ["MAXIMUM_GAP_MM", "THRESHOLD_MODES", "PostprocessConfig"]

THRESHOLD_MODES = ("fixed", "adaptive")
MAXIMUM_GAP_MM = 20.0


@dataclass(frozen=True)
class PostprocessConfig:
    """Settings of `postprocess`; the defaults remove specks and nothing else.

    Attributes:
        threshold_mode: "fixed" keeps values of at least `threshold`; "adaptive" keeps the largest
            values, as many as `quantile` leaves (eq. 4).
        threshold: lowest value that "fixed" keeps, in (0, 1].
        quantile: fraction delta of all voxels of the grid, zeros included, that "adaptive"
            rejects, in [0, 1); the paper uses 0.99.
        minimum_neighbours: a voxel with fewer kept Moore neighbours (of 26) is removed (eq. 5);
            0 removes none, the paper uses 10 (on its 1.7 mm voxels).
        minimum_component_mm3: connected parts smaller than this are removed; 0 removes none. 2 mm3 is
            a stub of vessel 1.5 mm wide and 1 mm long; on real masks such specks are edge effects.
        keep_components: how many of the largest parts are kept; 0 keeps all.
        close_gaps_mm: breaks up to this long between two parts are bridged; 0 bridges none.

    Raises:
        InputError: a value outside its range.
    """

    threshold_mode: str = "fixed"
    threshold: float = 0.5
    quantile: float = 0.99
    minimum_neighbours: int = 0
    minimum_component_mm3: float = 2.0
    keep_components: int = 0
    close_gaps_mm: float = 0.0

    def __post_init__(self) -> None:
        check_choice("threshold mode", self.threshold_mode, THRESHOLD_MODES)
        check_range("threshold", self.threshold, 0, 1, open_minimum=True)
        check_range("quantile", self.quantile, 0, 1)
        if self.quantile == 1:
            raise InputError("quantile must be smaller than 1 (1 keeps nothing), got 1")
        check_count("minimum neighbours", self.minimum_neighbours, 26)
        check_range("minimum component", self.minimum_component_mm3, 0, unit="mm3")
        check_count("components to keep", self.keep_components, 2**31)
        check_range("gap to close", self.close_gaps_mm, 0, MAXIMUM_GAP_MM, unit="mm")


def check_count(name: str, value: int, maximum: int) -> None:
    """Raise InputError unless `value` is a whole number in [0, maximum]."""
    if check_range(name, value, 0, maximum) != int(value):
        raise InputError(f"{name} must be a whole number, got {value!r}")
