import dataclasses
import json
import re

import pytest

from graphattn.training.recipe import Architecture, Recipe


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("epochs", 0, "epochs must be a whole number from 1 up, got 0"),
        ("batch_size", 2.5, "batch_size must be a whole number from 1 up, got 2.5"),
        ("patience", -1, "patience must be a whole number from 1 up, got -1"),
        ("members", True, "members must be a whole number from 1 up, got True"),
        ("learning_rate", 0, "learning_rate must be above 0, got 0"),
        ("gradient_clip", float("inf"), "gradient_clip must be above 0, got inf"),
        ("warmup", 1, "warmup must be from 0 to below 1, got 1"),
        ("atom_mask", -0.1, "atom_mask must be from 0 to below 1, got -0.1"),
        ("average", 1.5, "average must be from 0 to below 1, got 1.5"),
        ("weight_decay", -1, "weight_decay must be 0 or more, got -1"),
        ("balance", float("nan"), "balance must be 0 or more, got nan"),
        ("seed", -3, "seed must be 0 or more, got -3"),
        ("monitor", "auc", "monitor must be 'score' or 'loss', got 'auc'"),
    ],
)
def test_values_out_of_range_are_refused(name, value, expected):
    with pytest.raises(ValueError, match=re.escape(expected)):
        Recipe(**{name: value})


def test_recipe_survives_json():
    recipe = Recipe(epochs=3, monitor="loss", average=0.0)
    assert Recipe(**json.loads(json.dumps(dataclasses.asdict(recipe)))) == recipe


def test_architecture_names_its_model():
    assert Architecture(layers=2).to_dict()["layers"] == 2
    assert Architecture().to_dict()["name"] == "MoleculeTransformer"
