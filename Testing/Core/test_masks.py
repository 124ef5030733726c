"""What is taken for a vessel mask, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from xradiff.errors import InputError
from xradiff.masks import binary_mask


def stripe(value=255, dtype=np.uint8):
    image = np.zeros((40, 50), dtype)
    image[10:14] = value
    return image


@pytest.mark.parametrize(
    ("value", "dtype"), [(255, np.uint8), (1, np.uint8), (True, bool), (0.7, float), (4095, np.uint16)]
)
def test_two_levels_are_a_mask(value, dtype):
    np.testing.assert_array_equal(binary_mask(stripe(value, dtype)), stripe() > 0)


def test_every_label_of_a_label_map_is_vessel():
    labels = stripe(3)
    labels[20:22] = 1
    assert binary_mask(labels).sum() == 6 * 50


def test_blurred_edges_are_cut_half_way():
    image = stripe().astype(float)
    image[9], image[14] = 0.4 * 255, 0.6 * 255
    assert set(np.flatnonzero(binary_mask(image).any(axis=1))) == {10, 11, 12, 13, 14}


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((9, 9), np.uint8), "is empty: a mask needs vessel pixels"),
        (np.full((9, 9), 255, np.uint8), "one single value everywhere"),
        (255 - stripe(), "marks 90% of the image as vessel; .*inverted"),
        (np.tile(np.arange(256, dtype=np.uint8), (20, 1)), "grey image, not a vessel mask"),
        (np.full((9, 9), np.nan), "not finite"),
    ],
)
def test_what_is_not_a_mask_is_refused(image, message):
    with pytest.raises(InputError, match=message):
        binary_mask(image)
