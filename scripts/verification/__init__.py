"""What `scripts/verify_architectures.py` compares, and the tests with it."""
