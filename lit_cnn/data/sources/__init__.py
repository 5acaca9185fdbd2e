"""Datasets, one file each: from their files to arrays of images and labels."""
