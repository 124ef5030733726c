"""Hull of two 512 x 512 masks at 0.5 mm on a 120 mm cube: the sparse path against dense ODL adjoints."""

from __future__ import annotations

import numpy as np
from bench_tools import measure, write_table


def case():
    """Two masks of a vessel tree, their cameras, and the 120 mm cube around the tree."""
    from xradiff.datatypes import VolumeGrid
    from xradiff.geometry import camera_of, triangulate
    from xradiff.resources import resource
    from xradiff.views import read_view

    folder = resource("SampleData/demo")
    views = [read_view(folder / f"view{k}.png", folder / f"view{k}.json") for k in (0, 1)]
    masks = [view.pixels > 0 for view in views]
    cameras = [camera_of(view) for view in views]
    middles = [np.argwhere(mask).mean(axis=0) for mask in masks]
    centre = triangulate(cameras, middles)
    return masks, cameras, VolumeGrid.centred((240, 240, 240), 0.5, centre)


def sparse():
    from xradiff.projection import MaskCone, backproject_masks

    masks, cameras, grid = case()
    return lambda: backproject_masks(
        [MaskCone.of(mask, camera) for mask, camera in zip(masks, cameras, strict=True)], grid
    )


def dense():
    from xradiff.projection.operators import ray_transform

    masks, cameras, grid = case()
    operators = [ray_transform(camera, grid) for camera in cameras]

    def run():
        parts = [
            operator.adjoint(operator.range.element(mask[None].astype(np.float32))).asarray()
            for operator, mask in zip(operators, masks, strict=True)
        ]
        return np.minimum(*parts)

    return run


def main() -> None:
    fast, slow = measure(sparse, 9), measure(dense, 3)
    rows = [
        [
            name,
            f"{m['median']:.3f}",
            f"{m['grown_mb']:.0f}",
            f"{m['total_mb']:.0f}",
            f"{slow['median'] / m['median']:.1f}",
        ]
        for name, m in (("sparse, coarse to fine", fast), ("two dense ODL adjoints and their minimum", slow))
    ]
    write_table(
        "hull_speed",
        "Hull of two 512 x 512 masks, 0.5 mm, 120 mm cube (240^3)",
        ["way", "median s", "MB more", "MB of the process", "times faster than dense"],
        rows,
        "Both start from the two masks; imports and reading are left out.",
    )


if __name__ == "__main__":
    main()
