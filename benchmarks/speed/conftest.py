"""Benchmarks stand outside of the package; their shared modules lie beside them."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
