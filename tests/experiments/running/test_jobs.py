"""What a trial is made of. Oracle: the checksums that went in, and identities as version 0.1.0 wrote them."""

from __future__ import annotations

from pathlib import Path

from converse.data.images import ImageFile, ImageSet
from converse.experiments.running.jobs import trained_trial
from converse.experiments.suites.suite import load_suite


def photos(*contents: str) -> ImageSet:
    return ImageSet("photos", "photos", tuple(ImageFile(f"{c}.png", Path(f"{c}.png"), c * 64) for c in contents))


def test_two_training_folders_of_one_name_are_both_in_the_identity() -> None:
    (plan,) = load_suite("denoising", networks=False).resolve("smoke", seeds=[0], only=["DnCNN"])
    a, b = photos("a"), photos("b", "c")

    def data(*train: ImageSet) -> dict[str, str]:
        return trained_trial(plan, train, "cpu", 1).data

    assert data(a, b) == {"photos": a.sha256, "photos (2)": b.sha256}
    assert data(b, a) == {"photos": b.sha256, "photos (2)": a.sha256}
    assert data(a, b, a) != data(a, b, b)
    # As before where there is one of a name, or the same one twice.
    assert data(a) == data(a, a) == {"photos": a.sha256}
