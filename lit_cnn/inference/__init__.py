"""Trained networks: loading, attribution, export."""
