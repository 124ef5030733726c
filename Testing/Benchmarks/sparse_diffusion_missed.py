"""What clDice loses: why points of the true skeleton are not in the result of sparse XRA-Diff.

    PYTHONPATH=XRADiffSlicer python Testing/Benchmarks/sparse_diffusion_missed.py --cases 12

Cases as in the first table of the method's README. A missed point lies beside the result (within 1.5 mm), or far from
it; of the far ones, whether its pixel in each image is covered by the result all the same, within a pixel: then no
mask says that anything is missing. A second table counts the same points by the angle between their vessel and the
epipolar plane: of a vessel in that plane both views see the same line, and nothing tells which of its points are the
same. A third one counts them by the number of images in which another part of the tree touches theirs: there the mask
has not both edges of the vessel.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from itertools import pairwise

import numpy as np
from bench_tools import write_table
from scipy.ndimage import binary_dilation, distance_transform_edt
from scipy.spatial import cKDTree
from xradiff.datatypes import VolumeGrid
from xradiff.geometry import camera_of
from xradiff.geometry.epipolar import epipolar_normal
from xradiff.pipeline import reconstruct
from xradiff.projection import silhouette
from xradiff.quantification import on_common_grid, skeleton
from xradiff.synthetic.case import CaseOptions, draw_case
from xradiff.training.truth import TreeTruth

SEED = 990_001
BESIDE_MM = 1.5
MARGIN = 10
"""Voxels: more than the largest radius."""
ANGLES_DEG = (0, 10, 20, 30, 45, 90)
"""Between a vessel and the epipolar plane."""
APART_MM = 4.0
"""Nearer ones are the same stretch of the same vessel."""
KINDS = ("beside it", "outside of an image", "covered in every image", "not covered in one image", "in more")


def missed(case) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return how many points the true skeleton has and misses by KINDS, then both by angle and by overlap."""
    found = reconstruct(case.views, "sparse_diffusion", calibrate_mode="off")
    vessels = replace(found.segmentation, values=np.ones_like(found.segmentation.values))
    same = on_common_grid(vessels, TreeTruth(case.subject.tree).voxels(around(case.subject.tree, vessels.grid)))
    places = np.argwhere(skeleton(same.truth))
    distance = distance_transform_edt(~same.result)[tuple(places.T)] * same.grid.spacing_mm[0]
    far = distance > BESIDE_MM
    unexplained, outside = views_of(found, same.grid.centres(places[far]))
    kinds = [
        ((distance > 0) & ~far).sum(),
        outside.sum(),
        *(((unexplained == count) & ~outside).sum() for count in (0, 1)),
        ((unexplained > 1) & ~outside).sum(),
    ]
    points = same.grid.centres(places)
    angles = angles_deg(case.subject.tree, found.views, points)
    by_angle = [np.histogram(of, ANGLES_DEG)[0] for of in (angles, angles[distance > 0])]
    touched = touched_in(case.subject.tree, found.views, points)
    by_overlap = [np.bincount(of, minlength=len(found.views) + 1) for of in (touched, touched[distance > 0])]
    return np.array([len(places), *kinds]), np.array(by_angle), np.array(by_overlap)


def angles_deg(tree, views, points) -> np.ndarray:
    """Return the angle (N,), 0 to 90, between the tree's direction at each point (N, 3) and the epipolar plane."""
    branches = [branch.points_lps_mm for branch in tree.branches]
    directions = np.concatenate([np.gradient(branch, axis=0) for branch in branches])
    nearest = directions[cKDTree(np.concatenate(branches)).query(points)[1]]
    along = nearest @ epipolar_normal(*(camera_of(view) for view in views))
    return np.rad2deg(np.arcsin(np.clip(np.abs(along) / np.linalg.norm(nearest, axis=1), 0, 1)))


def touched_in(tree, views, points) -> np.ndarray:
    """Return in how many images (N,) a part of the tree more than APART_MM from a point (N, 3) touches its vessel."""
    course = tree.points_lps_mm()
    radii = np.concatenate([branch.radii_mm for branch in tree.branches])
    own = radii[cKDTree(course).query(points)[1]]
    count = np.zeros(len(points), dtype=int)
    for camera in map(camera_of, views):
        pixels, others = camera.project(points), camera.project(course)
        own_px = own / camera.pixel_size_mm(camera.depth(points))
        course_px = radii / camera.pixel_size_mm(camera.depth(course))
        for number, near in enumerate(cKDTree(others).query_ball_point(pixels, own_px + course_px.max() + 1)):
            gap = np.linalg.norm(others[near] - pixels[number], axis=1) - own_px[number] - course_px[near]
            apart = np.linalg.norm(course[near] - points[number], axis=1) > APART_MM
            count[number] += bool((apart & (gap < 1)).any())
    return count


def around(tree, grid) -> VolumeGrid:
    """Return the voxels of `grid`, moved and grown to hold the whole tree: an image may cut it off."""
    places = grid.indices(tree.points_lps_mm())
    low = np.floor(places.min(axis=0)).astype(int) - MARGIN
    return grid.cropped(low, np.ceil(places.max(axis=0)).astype(int) + MARGIN + 1 - low)


def views_of(found, points) -> tuple[np.ndarray, np.ndarray]:
    """Return in how many images the result does not cover each point (N, 3), and whether one does not show it."""
    count, outside = np.zeros(len(points), dtype=int), np.zeros(len(points), dtype=bool)
    for view in found.views:
        camera = camera_of(view)
        pixels = np.rint(camera.project(points)).astype(int)
        shown = ((pixels >= 0) & (pixels < camera.shape)).all(axis=1)
        covered = binary_dilation(silhouette(found.segmentation, camera), np.ones((3, 3)))
        nearest = np.clip(pixels, 0, np.subtract(camera.shape, 1))
        count += ~covered[tuple(nearest.T)]
        outside |= ~shown
    return count, outside


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=12)
    options = parser.parse_args()
    rows, by_angle, by_overlap = [], [], []
    for side in ("right", "left"):
        cases = [draw_case(CaseOptions(side=side), SEED, number) for number in range(options.cases)]
        counted = [missed(case) for case in cases]
        (total, *kinds), angles, overlaps = (np.sum(part, axis=0) for part in zip(*counted, strict=True))
        rows.append([side, len(cases), *(f"{count / total:.1%}" for count in (sum(kinds), *kinds))])
        for table, numbers in ((by_angle, angles), (by_overlap, overlaps)):
            shares = [f"{lost / every:.1%} ({every / total:.0%})" for every, lost in numbers.T]
            table.append([side, len(cases), *shares])
    command = f"sparse_diffusion_missed.py --cases {options.cases}"
    columns = ["side", "cases", "missed", *KINDS]
    write_table("sparse_diffusion_missed", "Share of the true skeleton that is missed", columns, rows, script=command)
    title = "Share of the true skeleton that is missed (and share of all), by its angle with the epipolar plane"
    classes = [f"{low}-{high} degrees" for low, high in pairwise(ANGLES_DEG)]
    write_table("sparse_diffusion_inclination", title, ["side", "cases", *classes], by_angle, script=command)
    title = "Share of the true skeleton that is missed (and share of all), by whether other parts of the tree touch it"
    classes = ["in no image", "in one image", "in both images"]
    write_table("sparse_diffusion_overlap", title, ["side", "cases", *classes], by_overlap, script=command)


if __name__ == "__main__":
    main()
