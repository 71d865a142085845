"""A suite of one small network that is trained in two steps, for runs from end to end."""

from __future__ import annotations

TINY = """
schema = 1
name = "tiny"
title = "Tiny"
task = "denoising"
seeds = [0, 1]

[data]
train = ["./train"]
test = ["./test"]

[budgets.smoke]
steps = 2
patch = 16
batch = 2

[[entries]]
name = "Plain"
model = "dncnn"
options = { features = 4, layers = 3 }
"""
