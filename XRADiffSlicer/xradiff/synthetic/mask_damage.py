"""The single kinds of damage that `corruption` does to a vessel mask (rows, columns); all lengths in px."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, dijkstra

__all__ = [
    "inside_distance_px",
    "with_catheter",
    "with_false_piece",
    "with_other_thickness",
    "with_spur",
    "without_disc",
    "without_end",
]

Mask = NDArray[np.bool_]
Array = NDArray[np.float64]
_TIP_WINDOW = 15  # an end is farthest from the root in a window of this size
_CLEAR = 4.0  # false pieces keep this far from vessels
_SUBPIXEL = 0.8  # SD of the blur that makes the distance to a pixel staircase a smooth one
_SLOW = 30.0  # knots of the slow variation of thickness
_ROUGH = 1.5  # SD of the blur of the edges' roughness
_RIDGE, _RIDGE_WINDOW = 0.8, 5  # what is this much as deep as the deepest pixel near it is a vessel's middle
_BAND = 8.0  # no edge moves farther


def inside_distance_px(mask: Mask) -> Array:
    """Return the distance (rows, columns) of vessel pixels from the background, 0 outside."""
    distance = np.zeros(mask.shape)
    box = _box(mask, 1)
    distance[box] = ndimage.distance_transform_edt(mask[box])
    return distance


def without_end(mask: Mask, depth: Array, rng: np.random.Generator, length: float) -> Mask:
    """Remove the last `length` of one vessel end, chosen at random; `depth` is the distance from the edge."""
    pixels = np.argwhere(mask)
    if len(pixels) == 0:
        return mask
    graph = _pixel_graph(mask, pixels)
    root = int(np.argmax(depth[mask]))
    from_root = dijkstra(graph, directed=False, indices=root)
    reached = np.where(np.isfinite(from_root), from_root, 0.0)
    distance = np.zeros(mask.shape, np.float32)
    distance[mask] = reached
    highest = ndimage.maximum_filter(distance, size=_TIP_WINDOW)[mask]
    tips = np.flatnonzero((distance[mask] >= highest) & (reached > 2 * length))
    for tip in rng.permutation(tips):
        from_tip = dijkstra(graph, directed=False, indices=int(tip), limit=length)
        if _is_end(graph, from_tip, min(length, _TIP_WINDOW)):
            result = mask.copy()
            result[tuple(pixels[np.isfinite(from_tip)].T)] = False
            return result
    return mask


def without_disc(mask: Mask, centre: ArrayLike, radius: float) -> Mask:
    """Remove the pixels within `radius` of `centre` (2,)."""
    result = mask.copy()
    result[tuple(_covered(np.asarray(centre, float)[None], radius, mask.shape).T)] = False
    return result


def with_spur(mask: Mask, start: ArrayLike, rng: np.random.Generator, length: float) -> Mask:
    """Add a straight line, 2 px wide, from `start` (2,) in a random direction."""
    angle = rng.uniform(0, 2 * np.pi)
    course = np.asarray(start) + np.arange(0, length, 0.5)[:, None] * [np.sin(angle), np.cos(angle)]
    return _painted(mask, course, 1.0)


def with_false_piece(mask: Mask, whole: Mask, rng: np.random.Generator, length: float, radius: float) -> Mask:
    """Add a bent line of `length` and `radius` clear of all vessels; none where there is no room for it."""
    for _ in range(20):
        start = rng.uniform(0, mask.shape)
        steps = np.arange(0, length, 0.7)
        heading = rng.uniform(0, 2 * np.pi) + rng.normal(0, 1.5 / max(length, 20)) * steps
        course = start + 0.7 * np.cumsum(np.stack([np.sin(heading), np.cos(heading)], axis=1), axis=0)
        around = tuple(_covered(course, radius + _CLEAR, mask.shape).T)
        if not (mask[around] | whole[around]).any():
            return _painted(mask, course, radius)
    return mask


def with_catheter(mask: Mask, whole: Mask, proximal: Array, rng: np.random.Generator, width: float) -> Mask:
    """Add a catheter of `width` from the image's border to `proximal` (2,), against the vessel's direction.

    It comes from the top (from the arch or the arm), or up from the bottom left and over an arch.
    """
    rows, columns = mask.shape
    onward = _direction(whole, proximal, 0.1 * columns)
    if rng.random() < 0.75:
        side = np.clip(proximal[1] - 0.1 * columns * onward[1] + rng.normal(0, 0.06 * columns), 0, columns - 1)
        entry, turn = np.array([-width, side]), np.array([0.6 * proximal[0], side])
    else:
        side = columns * rng.uniform(0.03, 0.25)
        entry, turn = np.array([rows + width, side]), np.array([-0.3 * rows, side])
    reach = min(rng.uniform(0.08, 0.2) * rows, 0.5 * float(np.linalg.norm(entry - proximal)))
    course = _bezier(np.stack([entry, turn, proximal - reach * onward, proximal]))
    return _painted(mask, course, width / 2)


def with_other_thickness(
    mask: Mask, rng: np.random.Generator, thickness: float, variation: float, roughness: float
) -> Mask:
    """Shift edges by a random amount: one for all, one that varies slowly, one from pixel to pixel (SDs).

    The signed distance from the edge is blurred a little, so that shifts below one pixel count too; no shift
    changes no pixel. The middle of a vessel stays, so that a thin one gets thinner but does not fall to pieces.
    """
    box = _box(mask, int(_BAND) + 1) if mask.any() else (slice(0), slice(0))
    part = mask[box]
    if part.size == 0:
        return mask
    distance = ndimage.distance_transform_edt(~part) - ndimage.distance_transform_edt(part)
    distance = np.where(part, distance + 0.5, distance - 0.5).astype(np.float32)
    distance = ndimage.gaussian_filter(np.clip(distance, -_BAND, _BAND), _SUBPIXEL, truncate=3)
    shift = thickness * np.clip(rng.normal(), -2, 2) + variation * _slow_noise(part.shape, rng)
    if roughness:
        shift = shift + roughness * _rough_noise(part.shape, rng)
    ridge = _RIDGE * ndimage.minimum_filter(distance, size=_RIDGE_WINDOW)
    thinner = (distance < 0) & (distance >= shift) & (distance > ridge)
    result = mask.copy()
    result[box] = (part | ((distance >= 0) & (distance < shift))) & ~thinner
    return result


def _box(mask: Mask, margin: int) -> tuple[slice, slice]:
    """Return the slices of the mask's bounding box, widened by `margin` where the image goes on."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    low = max(0, rows[0] - margin), max(0, columns[0] - margin)
    return slice(low[0], rows[-1] + margin + 1), slice(low[1], columns[-1] + margin + 1)


def _pixel_graph(mask: Mask, pixels: NDArray[np.intp]) -> csr_array:
    """Return the graph of 8-connected mask pixels with Euclidean edge lengths."""
    number = np.full((mask.shape[0] + 2, mask.shape[1] + 2), -1)
    number[1:-1, 1:-1][mask] = np.arange(len(pixels))
    starts, stops, lengths = [], [], []
    for step in ((0, 1), (1, 0), (1, 1), (1, -1)):
        neighbour = number[tuple((pixels + 1 + step).T)]
        joined = np.flatnonzero(neighbour >= 0)
        starts.append(joined)
        stops.append(neighbour[joined])
        lengths.append(np.full(len(joined), np.hypot(*step)))
    joints = (np.concatenate(starts), np.concatenate(stops))
    return csr_array((np.concatenate(lengths), joints), shape=(len(pixels),) * 2)


def _is_end(graph: csr_array, from_tip: Array, reach: float) -> bool:
    """Tell whether the vessel goes on from the tip to one side only (where a loop closes it goes to two)."""
    ring = np.flatnonzero((from_tip > reach - 3) & (from_tip <= reach))
    return len(ring) > 0 and connected_components(graph[ring][:, ring], directed=False)[0] == 1


def _covered(course: Array, radius: float, shape: tuple[int, ...]) -> NDArray[np.intp]:
    """Return the pixels (P, 2) of an image of `shape` within `radius` of one of the points (N, 2)."""
    reach = int(np.ceil(radius)) + 1
    offsets = np.stack(np.meshgrid(*[np.arange(-reach, reach + 1)] * 2, indexing="ij"), axis=-1).reshape(-1, 2)
    near = np.rint(course).astype(np.intp)[:, None] + offsets
    kept = ((near - course[:, None]) ** 2).sum(axis=-1) <= radius**2
    kept &= ((near >= 0) & (near < shape)).all(axis=-1)
    pixels: NDArray[np.intp] = near[kept]
    return pixels


def _painted(mask: Mask, course: Array, radius: float) -> Mask:
    """Return a copy of the mask with a line of `radius` along the points (N, 2)."""
    result = mask.copy()
    result[tuple(_covered(course, radius, mask.shape).T)] = True
    return result


def _direction(mask: Mask, start: Array, reach: float) -> Array:
    """Return the unit vector (2,) from `start` to the middle of the vessel within `reach`; down if there is none."""
    near = _covered(start[None], reach, mask.shape)
    offset = near[mask[tuple(near.T)]] - start
    mean = offset.mean(axis=0) if len(offset) else np.zeros(2)
    length = float(np.linalg.norm(mean))
    return mean / length if length > 1 else np.array([1.0, 0.0])


def _bezier(corners: Array) -> Array:
    """Return points (N, 2), some 1.5 px apart at most, on the cubic Bezier curve of four control points (4, 2)."""
    count = int(np.linalg.norm(np.diff(corners, axis=0), axis=1).sum() * 0.8) + 2
    t = np.linspace(0, 1, count)[:, None]
    weights = np.hstack([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3])
    curve: Array = weights @ corners
    return curve


def _slow_noise(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float32]:
    """Return noise (rows, columns) of SD 1 that varies over some 30 px."""
    sides = []
    for size in shape:
        knots = np.arange(-1, int(size / _SLOW) + 3)
        weight = np.exp(-0.5 * (np.arange(size)[:, None] / _SLOW - knots) ** 2 / 0.6**2)
        sides.append(weight / np.sqrt((weight**2).sum(axis=1, keepdims=True)))
    values = rng.normal(size=(sides[0].shape[1], sides[1].shape[1]))
    noise: NDArray[np.float32] = (sides[0] @ values @ sides[1].T).astype(np.float32)
    return noise


def _rough_noise(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float32]:
    """Return noise (rows, columns) of SD 1 that varies over some pixels."""
    white = rng.standard_normal(shape, dtype=np.float32)
    smooth: NDArray[np.float32] = ndimage.gaussian_filter(white, _ROUGH, truncate=3)
    return smooth * np.float32(2 * np.sqrt(np.pi) * _ROUGH)  # the blur's kernel has this much less power
