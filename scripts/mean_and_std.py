"""Prints mean and standard deviation of each channel of a dataset's training images, on a scale from 0 to 1.

python scripts/mean_and_std.py FashionMNISTDataModule [--data_dir data]
"""

import argparse

import lit_cnn
from lit_cnn.data.arrays import channel_statistics

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data_module", help="name of the data module")
    parser.add_argument("--data_dir", default="data", help="where the dataset lies")
    arguments = parser.parse_args()
    data = getattr(lit_cnn, arguments.data_module)(data_dir=arguments.data_dir)
    data.prepare_data()
    for name, values in zip(("mean", "std"), channel_statistics(data.read("train").images), strict=True):
        print(name, *(f"{value:.4f}" for value in values))
