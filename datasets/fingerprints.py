"""What the images of the catalogue show: ``python datasets/fingerprints.py [NAME…]``.

With names of datasets, their signs are written into the catalogue. Without, it is said which sets have pictures in
common, and how far apart copies and other images are.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from itertools import combinations
from pathlib import Path

import numpy as np

from converse.data.catalogue import datasets
from converse.data.fingerprints import SAME, differing, fingerprint
from converse.data.images import image_set, read_image


def write(name: str) -> None:
    """Write the fingerprint of each file into a dataset's file; the images are found as every command finds them."""
    file = Path(__file__).with_name(f"{name}.toml")
    text = file.read_text(encoding="utf-8")
    for image in image_set(name).images:
        found = fingerprint(read_image(image.path, "grey"))
        line = rf'(sha256 = "{image.sha256}", bytes = \d+)(, fingerprint = "\w*")?'
        text = re.sub(line, rf'\1, fingerprint = "{found}"', text)
    file.write_text(text, encoding="utf-8")


def compare() -> None:
    """Print the pictures that sets have in common, and the shares of differing signs on both sides of the limit."""
    files = [(known.name, entry) for known in datasets().values() for entry in known.files if entry.fingerprint]
    prints = [entry.fingerprint for _, entry in files]
    shares = differing(prints, prints)
    pairs = [(i, j) for i, j in combinations(range(len(files)), 2) if files[i][1].sha256 != files[j][1].sha256]
    for sets, count in Counter((files[i][0], files[j][0]) for i, j in pairs if shares[i, j] <= SAME).items():
        print(f"{' and '.join(sets)}: {count}")
    values = np.sort([shares[i, j] for i, j in pairs])
    same = values <= SAME
    print(f"{len(files)} images, {len(pairs)} pairs; copies: {same.sum()}, up to {values[same][-1]:.3f}")
    print("the others from " + ", ".join(f"{value:.3f}" for value in values[~same][:4]))


if __name__ == "__main__":
    for dataset in sys.argv[1:]:
        write(dataset)
    if not sys.argv[1:]:
        compare()
