"""Readers of the datasets' files, one module each: files to arrays of images and labels."""
