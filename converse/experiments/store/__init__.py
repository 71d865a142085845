"""What is kept on disk: a folder per trial and per run of speed, written whole or not at all, shared by processes."""

from converse.experiments.store.store import Store as Store
