"""Which checkpoints the authors released: of which network, where they lie, and how their keys map to ours."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from converse.errors import OptionError, unknown

_BLOCK = {
    r"conv1\.0\.": "spatial.norm.",
    r"conv1\.1\.": "spatial.expand.",
    r"conv1\.3\.": "spatial.operator.",
    r"conv1\.5\.": "spatial.project.",
    r"conv2\.0\.": "channel.norm.",
    r"conv2\.1\.": "channel.expand.",
    r"conv2\.3\.": "channel.project.",
    r"alpha1$": "spatial.scale.alpha",
    r"alpha2$": "channel.scale.alpha",
}


@dataclass(frozen=True)
class Released:
    """A released checkpoint, and the network that it belongs to.

    Args:
        entry: the name of the row in the paper's tables.
        task: denoising, super_resolution or deblurring.
        model: a name in :data:`converse.nn.models.MODELS`.
        operator: a name in :data:`converse.nn.operators.OPERATORS`, or ``None``.
        options: what the checkpoint's architecture needs beyond the model's defaults.
        dataset: where the catalogue keeps the file.
        file: its name there.
        keys: regular expressions that map the start of a key of the file to that of our state dict.
    """

    entry: str
    task: str
    model: str
    operator: str | None
    options: Mapping[str, Any]
    dataset: str
    file: str
    keys: Mapping[str, str] = field(repr=False)

    def rename(self, key: str) -> str:
        """Our name for a key of the file; a key that no rule knows stays as it is."""
        for theirs, ours in self.keys.items():
            if match := re.match(theirs, key):
                head, rest = match.expand(ours), key[match.end() :]
                for part, name in _BLOCK.items():
                    if inner := re.match(part, rest):
                        return head + name + rest[inner.end() :]
                return head + rest
        return key


RELEASED: dict[str, Released] = {
    released.entry: released
    for released in (
        Released(
            "DnCNN",
            "denoising",
            "dncnn",
            None,
            {"normalisation": False},
            "dncnn_weights",
            "dncnn_25.pth",
            {r"model\.": "body."},
        ),
        Released(
            "Converse-DnCNN",
            "denoising",
            "block-dncnn",
            "converse",
            {"kernel_size": 7},
            "converse_weights",
            "converse_dncnn.pth",
            {r"m_head\.0\.": "head.", r"m_tail\.0\.": "tail.", r"m_body\.(\d+)\.": r"body.\1."},
        ),
        Released(
            "Converse-SRResNet",
            "super_resolution",
            "block-srresnet",
            "converse",
            {},
            "converse_weights",
            "converse_srresnet.pth",
            {
                r"conv_first\.": "head.",
                r"conv_body\.(\d+)\.": r"body.\1.",
                r"upconv1\.": "upsample.0.0.",
                r"up1\.": "upsample.0.1.",
                r"upconv2\.": "upsample.1.0.",
                r"up2\.": "upsample.1.1.",
                r"conv_hres\.": "refine.0.",
                r"conv_last\.": "tail.",
            },
        ),
        Released(
            "ConverseNet",
            "deblurring",
            "block-net",
            "converse",
            {},
            "converse_weights",
            "conversenet.pth",
            {r"conv1\.": "head.", r"conv2\.": "tail.", r"p\.m_body\.(\d+)\.": r"body.\1."},
        ),
        Released(
            "Converse-USRNet",
            "deblurring",
            "block-usrnet",
            "converse",
            {},
            "converse_weights",
            "converse_usrnet.pth",
            {
                r"conv1\.": "head.",
                r"conv2\.": "tail.",
                r"d\.alpha$": "data_step.bias",
                r"kernelnet\.fc1\.": "kernel_mlp.0.",
                r"kernelnet\.fc2\.": "kernel_mlp.2.",
                r"kernelnet\.fc3\.": "kernel_mlp.4.",
                r"convs\.(\d+)\.": r"kernel_mix.\1.",
                r"p\.m_body\.(\d+)\.": r"body.\1.",
            },
        ),
    )
}
"""The released checkpoints by the name of their row in the paper's tables."""


def released(entry: str) -> Released:
    """The released checkpoint of that entry.

    Raises:
        OptionError: nothing is released under that name.
    """
    if entry not in RELEASED:
        raise OptionError(unknown("released entry", entry, RELEASED))
    return RELEASED[entry]
