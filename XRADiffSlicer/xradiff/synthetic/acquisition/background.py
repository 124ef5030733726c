"""What else the X-rays meet: heart shadow, spine, ribs, diaphragm, tissue, a catheter. Rough 3D shapes of our own.

All shapes stand in patient LPS around the middle of the tree, so that each view shows them where its angles
put them: the spine on the right of the image in LAO, on the left in RAO. Their attenuations are those of an
image with scatter (contrast between lung and heart as displayed), not of a calibrated beam.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage
from scipy.interpolate import CubicSpline

from ...geometry import Camera
from ..tubes import Tube, TubeTree
from .thickness import path_length

__all__ = ["body_attenuation", "catheter"]

Array = NDArray[np.float64]
_HEART_AXIS = np.array([0.62, -0.60, -0.50]) / np.linalg.norm([0.62, -0.60, -0.50])  # base to apex
_SOFT, _BONE = 0.0062, 0.0105  # 1/mm, effective
_COARSE = 200  # the background is computed with about this many columns: it holds no finer detail
_TEXTURE = 0.05  # SD of the logarithm of intensity


def body_attenuation(middle_lps_mm: ArrayLike, camera: Camera, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return the attenuation exponent (rows, columns), 0 or more, of a body whose heart lies at `middle_lps_mm`."""
    factor = max(1, round(camera.shape[1] / _COARSE))
    coarse = _coarse_camera(camera, factor)
    middle = np.asarray(middle_lps_mm, dtype=float) + rng.normal(size=3) * 3
    rays = coarse.ray_directions(np.moveaxis(np.indices(coarse.shape), 0, -1))
    total = _heart(middle, coarse.source, rays, rng) + _diaphragm(middle, coarse.source, rays, rng)
    total += _spine(middle, coarse.source, rays, rng) + _ribs(middle, coarse, rng)
    total += _TEXTURE * _tissue_texture(coarse.shape, rng)
    total = np.maximum(total - total.min(), 0)
    fine = np.repeat(np.repeat(total, factor, axis=0), factor, axis=1)[: camera.shape[0], : camera.shape[1]]
    smooth: NDArray[np.float32] = ndimage.gaussian_filter(fine.astype(np.float32), 0.6 * factor)
    return smooth


def catheter(tree: TubeTree) -> TubeTree:
    """Return a 6 F (2 mm) catheter that engages the tree's first point from the aorta.

    From the ostium against the vessel's direction into the root, up the ascending aorta, over the arch and down
    the descending aorta: our own course.
    """
    stem = tree.tubes[0].points_lps_mm
    ostium, inwards = stem[0], stem[0] - stem[min(8, len(stem) - 1)]
    inwards = inwards * (1, 1, 0.3) / np.linalg.norm(inwards)
    root = ostium + 16 * inwards
    course = np.stack(
        [
            ostium - 1.5 * inwards,
            ostium + 7 * inwards,
            root + _at(0, 0, 10),
            root + _at(-3, 4, 45),
            root + _at(4, 22, 85),
            root + _at(16, 55, 95),
            root + _at(22, 76, 60),
            root + _at(20, 84, 0),
            root + _at(14, 86, -80),
            root + _at(12, 86, -160),
        ]
    )
    knots = np.insert(np.cumsum(np.sqrt(np.linalg.norm(np.diff(course, axis=0), axis=1))), 0, 0.0)
    points = CubicSpline(knots, course)(np.linspace(0, knots[-1], 220))
    return TubeTree((Tube(points, np.full(len(points), 1.0)),))


def _at(x: float, y: float, z: float) -> Array:
    """Return an offset (3,) in LPS mm."""
    return np.array([x, y, z])


def _coarse_camera(camera: Camera, factor: int) -> Camera:
    """Return the camera whose pixels are blocks of `factor` x `factor` pixels."""
    row_mm, column_mm = camera.pixel_spacing_mm
    row0, column0 = ((value - (factor - 1) / 2) / factor for value in camera.principal_point)
    shape = (-(-camera.shape[0] // factor), -(-camera.shape[1] // factor))
    spacing = (row_mm * factor, column_mm * factor)
    return replace(camera, pixel_spacing_mm=spacing, principal_point=(row0, column0), shape=shape)


def _ellipsoid(source: Array, rays: Array, centre: Array, axes: Array, semi_mm: ArrayLike) -> Array:
    """Return the chords (rows, columns) in mm through an ellipsoid with unit `axes` (3, 3), one a row."""
    scale = axes / np.asarray(semi_mm, dtype=float)[:, None]
    origin, direction = scale @ (source - centre), rays @ scale.T
    a = np.einsum("rcd,rcd->rc", direction, direction)
    b = direction @ origin
    chord: Array = 2 * np.sqrt(np.maximum(b * b - a * (origin @ origin - 1), 0)) / a
    return chord


def _column(source: Array, rays: Array, centre: Array, semi_mm: tuple[float, float, float]) -> Array:
    """Return the chords through an upright elliptic cylinder: semi-axes along x and y, half height along z."""
    scale = 1 / np.asarray(semi_mm)
    origin, direction = (source - centre) * scale, rays * scale
    a = np.einsum("rcd,rcd->rc", direction[..., :2], direction[..., :2])
    b = direction[..., :2] @ origin[:2]
    half = np.sqrt(np.maximum(b * b - a * (origin[:2] @ origin[:2] - 1), 0))
    z = np.where(np.abs(direction[..., 2]) < 1e-9, 1e-9, direction[..., 2])
    ends = (-1 - origin[2]) / z, (1 - origin[2]) / z
    enter = np.maximum((-b - half) / a, np.minimum(*ends))
    leave = np.minimum((-b + half) / a, np.maximum(*ends))
    chord: Array = np.maximum(leave - enter, 0)
    return chord


def _heart(middle: Array, source: Array, rays: Array, rng: np.random.Generator) -> Array:
    """Heart with its great vessels; blurred a little, as it beats."""
    side = np.cross(_HEART_AXIS, (0, 0, 1))
    side /= np.linalg.norm(side)
    axes = np.stack([_HEART_AXIS, side, np.cross(_HEART_AXIS, side)])
    semi = np.array([70, 52, 50]) * rng.uniform(0.92, 1.1)
    heart = _ellipsoid(source, rays, middle + _at(0, 0, -4), axes, semi)
    vessels = _ellipsoid(source, rays, middle + _at(-18, 12, 95), np.eye(3), (27, 33, 100))
    blurred: Array = ndimage.gaussian_filter(_SOFT * heart + 0.7 * _SOFT * vessels, 1.5)
    return blurred


def _diaphragm(middle: Array, source: Array, rays: Array, rng: np.random.Generator) -> Array:
    """Both domes; the right one stands higher."""
    top = rng.uniform(-52, -36)
    right = _ellipsoid(source, rays, middle + _at(-80, 0, top - 100), np.eye(3), (92, 95, 100))
    left = _ellipsoid(source, rays, middle + _at(55, 5, top - 112), np.eye(3), (85, 90, 100))
    blurred: Array = ndimage.gaussian_filter(0.55 * _SOFT * (right + left), 0.8)
    return blurred


def _spine(middle: Array, source: Array, rays: Array, rng: np.random.Generator) -> Array:
    """Vertebral bodies with discs between them, pedicles, spinous processes, and muscle along them."""
    foot = middle + _at(-24 + rng.normal() * 4, 88 + rng.normal() * 4, rng.uniform(-13, 13))
    total = 0.6 * _SOFT * _column(source, rays, foot + _at(0, 12, 0), (44, 26, 400))
    for level in range(-7, 8):
        centre = foot + _at(0, 0, 27.0 * level)
        total += _BONE * _column(source, rays, centre, (17, 14, 11))
        total += 0.7 * _BONE * _column(source, rays, centre + _at(0, 0, 13.5), (16, 13, 2.5))
        for side in (-1, 1):
            total += 1.4 * _BONE * _ellipsoid(source, rays, centre + _at(13 * side, 19, 4), np.eye(3), (4.5, 8, 6))
        total += 1.2 * _BONE * _ellipsoid(source, rays, centre + _at(0, 36, -9), np.eye(3), (3, 12, 9))
    blurred: Array = ndimage.gaussian_filter(total, 0.7)
    return blurred


def _ribs(middle: Array, camera: Camera, rng: np.random.Generator) -> Array:
    """Ribs as hollow bent tubes that slope down from the spine to the front."""
    angle = np.linspace(0.05, 0.86, 36) * np.pi  # 0 at the spine
    radius = np.interp(angle, angle[[0, 4, 20, -1]], (3.0, 5.0, 4.6, 2.2))
    outer, inner = [], []
    shift = rng.uniform(-13, 13)
    for level in range(-5, 7):
        for side in (-1.0, 1.0):
            x, y = 128 * side * np.sin(angle), 12 + 92 * np.cos(angle)
            z = shift + 27.0 * level + 40 - 85 * (1 - np.cos(angle)) / 2
            points = middle + _at(-20, 0, 0) + np.stack([x, y, z], axis=1)
            outer.append(Tube(points, radius))
            inner.append(Tube(points, 0.72 * radius))
    shell = path_length(TubeTree(tuple(outer)), camera) - 0.75 * path_length(TubeTree(tuple(inner)), camera)
    return 1.1 * _BONE * shell.astype(float)


def _tissue_texture(shape: tuple[int, int], rng: np.random.Generator) -> Array:
    """Low-pass noise (amplitude 1 / frequency^1.5) with mean 0 and SD 1."""
    rows, columns = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None]
    frequency = np.maximum(np.hypot(rows, columns), 1 / max(shape))
    spectrum = np.fft.rfft2(rng.normal(size=shape)) / frequency**1.5
    spectrum[0, 0] = 0
    noise = np.fft.irfft2(spectrum, s=shape)
    return noise / max(float(noise.std()), 1e-12)
