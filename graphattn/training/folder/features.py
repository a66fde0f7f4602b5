"""The atom and bond features that a model of molecules reads: written into its folder, compared when it is loaded."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import graphattn
from graphattn.data.molecules.smiles import ATOM_FEATURES, BOND_FEATURES
from graphattn.training.folder.checks import retrain
from graphattn.training.folder.weights import plain


def feature_tables() -> dict[str, dict[str, list[str]]]:
    """Names and categories of the atom and bond features, as text."""
    return {"atom": _words(ATOM_FEATURES), "bond": _words(BOND_FEATURES)}


def check_features(described: Mapping[str, Any], path: Path) -> None:
    """Check that a model reads the features of this version.

    Args:
        described: what ``path`` says of the model.
        path: its ``model.json``.

    Raises:
        ValueError: it reads others.
    """
    stored, here = described["features"], plain(feature_tables())
    for table in here:
        if not isinstance(stored, dict) or stored.get(table) != here[table]:
            text = f"its {table} features are not those of graphattn {graphattn.__version__}; {retrain(described)}"
            raise ValueError(f"{path}: {text}")


def _words(features: dict[str, tuple]) -> dict[str, list[str]]:
    return {name: [str(category) for category in categories] for name, categories in features.items()}
