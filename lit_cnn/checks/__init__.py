"""What can be known of a run before it begins: measured on a few steps, then judged by pure functions."""
