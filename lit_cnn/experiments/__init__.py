"""Experiments: grids of variants and seeds, run as many runs of `fit`."""
