"""Datasets and data loading, from files to batches."""
