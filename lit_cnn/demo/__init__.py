"""The demo: a local web page on which trained networks look at what a person draws, as they draw it."""
