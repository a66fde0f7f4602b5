import dataclasses
import json
import re

import pytest

from graphattn.training.recipe import Architecture, MoleculeRecipe, Recipe


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
        ("average", 1.5, "average must be from 0 to 1, got 1.5"),
        ("average_from", 1, "average_from must be from 0 to below 1, got 1"),
        ("passes", 0, "passes must be a whole number from 1 up, got 0"),
        ("schedule", "step", "schedule must be one of warmup_cosine, one_cycle, plateau, constant, got 'step'"),
        ("weight_decay", -1, "weight_decay must be 0 or more, got -1"),
        ("balance", float("nan"), "balance must be 0 or more, got nan"),
        ("seed", -3, "seed must be 0 or more, got -3"),
        ("monitor", "auc", "monitor must be 'score' or 'loss', got 'auc'"),
    ],
)
def test_values_out_of_range_are_refused(name, value, expected):
    with pytest.raises(ValueError, match=re.escape(expected)):
        MoleculeRecipe(**{name: value})


def test_recipe_survives_json():
    recipe = MoleculeRecipe(epochs=3, monitor="loss", average=0.0)
    assert MoleculeRecipe(**json.loads(json.dumps(dataclasses.asdict(recipe)))) == recipe


def test_architecture_names_its_model():
    assert Architecture(layers=2).to_dict()["layers"] == 2
    assert Architecture().to_dict()["name"] == "MoleculeTransformer"


def test_a_molecule_recipe_written_before_there_were_schedules_is_read_with_the_defaults():
    stored = {"epochs": 3, "learning_rate": 0.002, "warmup": 0.1, "average": 0.99, "members": 2, "seed": 0}
    recipe = MoleculeRecipe(**stored)
    assert (recipe.schedule, recipe.average_from, recipe.passes, recipe.fused) == ("warmup_cosine", 0.0, 1, True)


def test_without_patience_there_is_none_to_check():
    assert Recipe(patience=None).patience is None
