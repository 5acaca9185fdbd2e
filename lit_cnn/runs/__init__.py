"""A run's folder: claimed, written, and read back."""
