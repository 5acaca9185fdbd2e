"""The demo: a local web page that shows predictions of trained networks while a person draws."""
