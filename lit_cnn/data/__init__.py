"""The datasets, from files to batches."""
