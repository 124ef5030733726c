"""Samplers of diffusion models, shared by the methods: schedule, loop and guidance, each apart from any network."""

from .ddim import sample_ddim
from .guidance import guided
from .schedule import NoiseSchedule

__all__ = ["NoiseSchedule", "guided", "sample_ddim"]
