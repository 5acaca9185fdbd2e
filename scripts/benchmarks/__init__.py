"""The benchmarks of `scripts/bench.py`, one module for each subject."""
