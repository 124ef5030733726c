"""What a run costs before it starts: operations of the network, seconds on a CPU, memory."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch.utils.flop_counter import FlopCounterMode

from .network import Condition, empty_network
from .recipe import NetworkConfig

__all__ = ["call_operations", "cpu_seconds", "memory_bytes", "volumes_at_once"]

CPU_OPERATIONS_PER_SECOND = 25e9
"""Of one thread; measured, see README.md."""
BYTES_PER_VALUE = 4
CPU_BATCH_BYTES = 1e9
PEAK_VALUES = 22
"""Per voxel and channel of the first attention layer's inner width (8 heads); measured, see README.md."""


@lru_cache
def call_operations(config: NetworkConfig) -> float:
    """Return the floating-point operations of one call of the U-Net for one volume, counted on the meta device."""
    network = empty_network(config)
    size = (1, 1, config.size, config.size, config.size)
    with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counter:
        condition = Condition(torch.empty(1, 1, config.token_size), torch.empty(size))
        network(torch.empty(size), torch.empty(1, dtype=torch.int64), condition)
    return float(counter.get_total_flops())


def cpu_seconds(config: NetworkConfig, calls: int) -> float:
    """Return about how long `calls` calls of the U-Net for one volume take on a CPU in float32."""
    return calls * call_operations(config) / CPU_OPERATIONS_PER_SECOND / torch.get_num_threads()


def memory_bytes(config: NetworkConfig) -> float:
    """Return about how much memory the network and one call for one volume take in 32 bits."""
    parameters = sum(parameter.numel() for parameter in empty_network(config).parameters())
    return BYTES_PER_VALUE * parameters + _bytes_per_volume(config)


def volumes_at_once(config: NetworkConfig) -> int:
    """Return how many volumes a call on a CPU should take: more save overhead while they are small."""
    return max(1, int(CPU_BATCH_BYTES / _bytes_per_volume(config)))


def _bytes_per_volume(config: NetworkConfig) -> float:
    return float(BYTES_PER_VALUE * (config.size // config.patch) ** 3 * 8 * config.head_size * PEAK_VALUES)
