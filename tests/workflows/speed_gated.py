"""A suite of speed of one small case, for rounds that are run."""

SUITE = """
schema = 1
name = "small"
title = "One small case"

[[sweeps]]
name = "operator"
title = "The operator"
subjects = ["yardstick", "converse"]
passes = ["evaluation"]
vary = "size"
values = [32]
channels = 16

[budgets.smoke]
turns = 2
turn_seconds = 0.005
case_seconds = 60
steady = true
"""
