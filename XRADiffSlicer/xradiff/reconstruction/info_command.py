"""`python -m xradiff methods` and `info`: which methods there are, what each does, needs and can be told."""

from __future__ import annotations

import argparse
from typing import Any

from ..progress import Progress

__all__ = ["add_parsers"]


def add_parsers(subparsers: Any) -> None:
    """Add both commands to argparse's `subparsers`; loads no method."""
    methods = subparsers.add_parser("methods", help="list the reconstruction methods")
    methods.set_defaults(command=_methods)
    info = subparsers.add_parser("info", help="what a method (or segmentation) does, needs and can be told")
    info.add_argument("name", metavar="NAME")
    info.set_defaults(command=_info)


def _methods(options: argparse.Namespace, progress: Progress) -> None:
    from .registry import list_methods

    for spec in list_methods():
        print(f"{spec.name:16} {spec.title}: {spec.description}")


def _info(options: argparse.Namespace, progress: Progress) -> None:
    from ..masks.config import SegmentationConfig
    from ..masks.network.recipe import NAME
    from ..weights import weights_card
    from .registry import config_class, method_spec

    if options.name == NAME:
        print("Vessel segmentation of grey frames: `segment RUN`, and `--set segmentation.KEY=VALUE` of `reconstruct`")
        _show_settings(SegmentationConfig)
        print(f"\n{weights_card(NAME, NAME)}")
        return
    spec = method_spec(options.name)
    gpu = "no GPU use" if spec.seconds_gpu is None else f"{spec.seconds_gpu:g} s on a GPU ({spec.gpu_source})"
    print(f"{spec.title} ({spec.name})\n{spec.description}\nReference: {spec.reference}")
    print(f"Needs: {', '.join(spec.needs + spec.weights) or 'nothing more'}")
    print(f"Typical: {spec.seconds_cpu:g} s on two CPU cores, {gpu}, {spec.memory_gb:g} GB of memory")
    _show_settings(config_class(spec))
    for name in spec.weights:
        print(f"\n{weights_card(name, spec.name)}")


def _show_settings(config: type) -> None:
    from ..config import describe

    for field in describe(config):
        unit = f" {field['unit']}" if field["unit"] else ""
        bounds = "any" if field["minimum"] is None else f"{field['minimum']} to {field['maximum']}{unit}"
        accepted = ", ".join(field["choices"]) or bounds
        print(f"  --set {field['name']}={field['default']}  {field['meaning']} Accepted: {accepted}.")
