"""Run folders: created, written and read back, with checkpoints and settings."""
