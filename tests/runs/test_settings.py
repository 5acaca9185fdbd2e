from jsonargparse import Namespace

from lit_cnn.runs.settings import hyperparameters


def test_objects_among_the_hyperparameters_are_short_texts():
    crop = Namespace(class_path="lit_cnn.RandomCrop", init_args=Namespace(padding=2))
    flip = Namespace(class_path="lit_cnn.RandomFlip", init_args=Namespace())
    config = Namespace(
        trainer=Namespace(max_epochs=3, precision=None),
        model=Namespace(class_path="lit_cnn.LitMLP", init_args=Namespace(hidden=[8, 8], lr=0.1, weights=None)),
        data=Namespace(class_path="lit_cnn.SampleDataModule", init_args=Namespace(augment=[crop, flip], data_dir="x")),
    )
    assert hyperparameters(config) == {
        **{"epochs": 3, "precision": None, "model": "LitMLP", "model/hidden": "[8, 8]", "model/lr": 0.1},
        **{"data": "SampleDataModule", "data/augment": "RandomCrop(padding=2), RandomFlip()"},
    }
