"""Comparisons of `scripts/verify_architectures.py`, which the tests use too."""
