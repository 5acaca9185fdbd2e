"""Experiments: many runs of `fit` that differ in what a file says, over several seeds."""
