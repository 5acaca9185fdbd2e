"""What a run leaves behind beyond its scalars, and what it shows while it goes on."""
