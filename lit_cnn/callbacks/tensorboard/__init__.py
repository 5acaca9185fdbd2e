"""What a run shows in TensorBoard: pictures, evaluation, features, health of the training."""
