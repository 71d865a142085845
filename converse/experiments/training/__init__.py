"""Training under a seed, which can be stopped at any step and continued to the bit.

To read in this order: ``learner`` (what one step does), ``loop`` (what the loop does), ``checkpoints`` (what is kept),
``module_state`` (how it goes into a file). ``interruption`` turns signals into a request to stop.
"""
