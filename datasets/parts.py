"""Which images show parts of one picture, by local features: ``python datasets/parts.py TRAIN TEST``, names of sets.

What is found belongs under ``part`` in the catalogue, once somebody has looked at it. An image takes about a second.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
from skimage.feature import ORB, match_descriptors
from skimage.measure import ransac
from skimage.transform import SimilarityTransform

from converse.data.images import image_set, read_image

CLOSEST = 0.16  # largest share of differing bits of two features that are held for one
FEWEST = 6  # features that one similarity maps onto each other

Features = tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]


def features(path: Path) -> Features:
    """Places [N, 2] and descriptors [N, 256] of an image."""
    orb = ORB(n_keypoints=400, fast_threshold=0.04, n_scales=8, downscale=1.25)
    try:
        orb.detect_and_extract(read_image(path, "grey")[:, :, 0] / 255)
    except RuntimeError:  # an image without corners
        return np.zeros((0, 2)), np.zeros((0, 256), bool)
    return orb.keypoints, orb.descriptors


def common(ours: Features, theirs: Features) -> int:
    """How many features one similarity maps onto each other."""
    if min(len(ours[1]), len(theirs[1])) < FEWEST:
        return 0
    pairs = match_descriptors(ours[1], theirs[1], metric="hamming", max_distance=CLOSEST)
    if len(pairs) < FEWEST:
        return 0
    places = ours[0][pairs[:, 0]], theirs[0][pairs[:, 1]]
    _, mapped = ransac(places, SimilarityTransform, min_samples=3, residual_threshold=3, max_trials=300, rng=0)
    return 0 if mapped is None else int(mapped.sum())


if __name__ == "__main__":
    trained, tested = ([(one.name, features(one.path)) for one in image_set(name).images] for name in sys.argv[1:3])
    for test, theirs in tested:
        for train, ours in trained:
            if (count := common(ours, theirs)) >= FEWEST:
                print(f"{sys.argv[1]}/{train} and {sys.argv[2]}/{test}: {count} features")
