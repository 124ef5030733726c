"""What is known about a method before any of its code is loaded; imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CONSUMES", "PRODUCES", "MethodSpec"]

CONSUMES = ("calibrated views", "view sequence", "CT volume", "segment of interest")
PRODUCES = ("volume", "surface", "centreline tree")


@dataclass(frozen=True)
class MethodSpec:
    """What is known about a method before any of its code is loaded.

    Attributes:
        name: folder name and command-line name.
        title: name for people.
        description: one sentence.
        reference: publication.
        entry_point: "module:Class" below this package, loaded on demand.
        config: "module:Class" of its config dataclass.
        consumes: what it reads, of `CONSUMES`.
        produces: what it returns, of `PRODUCES`.
        needs: packages beyond numpy, scipy, SimpleITK (import names).
        weights: names of the weight files it needs.
        beside: those of them that a run may use beside the one that it chooses.
        published_weights: address of weights that its authors published and its `convert.py` reads, "" without.
        stochastic: whether two seeds give two results.
        seconds_cpu: typical time of a case on two CPU cores.
        seconds_gpu: expected time on a current GPU, None where it does not use one.
        gpu_source: where that time comes from; no method has been timed on a GPU by this project.
        memory_gb: typical peak memory.
        training: "module:Class" of its `Trainable`, "" where there is nothing to train.
    """

    name: str
    title: str
    description: str
    reference: str
    entry_point: str
    config: str
    consumes: tuple[str, ...] = ("calibrated views",)
    produces: tuple[str, ...] = ("volume",)
    needs: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    published_weights: str = ""
    stochastic: bool = False
    seconds_cpu: float = 1.0
    seconds_gpu: float | None = None
    gpu_source: str = "an estimate, not measured"
    memory_gb: float = 1.0
    training: str = ""
