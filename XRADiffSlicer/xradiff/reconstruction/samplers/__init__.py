"""Samplers of diffusion models, shared by the methods: schedule, loop and guidance, each apart from any network."""

from .ddim import sample_ddim
from .guidance import guided
from .schedule import PREDICTIONS, NoiseSchedule, prediction_target

__all__ = ["PREDICTIONS", "NoiseSchedule", "guided", "prediction_target", "sample_ddim"]
