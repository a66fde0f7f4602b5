"""A molecule classifier where scikit-learn's stand: cross-validated beside a random forest, then asked about new molecules.

Papers: Vaswani et al. 2017 and Rampášek et al. 2022, "Recipe for a General, Powerful, Scalable Graph Transformer" (the model);
Rogers & Hahn 2010, "Extended-Connectivity Fingerprints" (what the forest reads).

`MoleculeClassifier` takes SMILES and labels; it may be cloned, cross-validated and searched over like any estimator.
The data are 1,025 molecules with low, medium or high solubility in water, which come with graphattn.

    python examples/molecules_in_scikit_learn.py [--fast]
"""

import argparse

import numpy as np
from rdkit import Chem
from rdkit.Chem.rdFingerprintGenerator import GetMorganGenerator
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from graphattn import MoleculeClassifier
from graphattn.data import load


def ecfp4(smiles: np.ndarray) -> np.ndarray:
    """Counts of circular substructures, [N, 2048]."""
    generator = GetMorganGenerator(radius=2, fpSize=2048)
    return np.stack([generator.GetCountFingerprintAsNumPy(Chem.MolFromSmiles(text)) for text in smiles])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--fast", action="store_true", help="fewer molecules and epochs")
    fast = parser.parse_args().fast
    table = load("solubility")
    frame = table.frame[table.frame[table.split_column] == "train"]
    frame = frame.sample(60, random_state=0) if fast else frame
    smiles, labels = frame[table.smiles_column].to_numpy(str), frame[table.target_columns[0]].to_numpy(str)
    # ------------------------------------------------------------------------------------------------ the idea
    small = {"channels": 16, "layers": 1, "epochs": 2, "descriptors": False} if fast else {}
    models = {
        "graph transformer": MoleculeClassifier(**small),
        "random forest on ECFP4": make_pipeline(
            FunctionTransformer(ecfp4), RandomForestClassifier(500, random_state=0)
        ),
    }
    folds = StratifiedKFold(2 if fast else 5, shuffle=True, random_state=0)
    for name, model in models.items():
        scores = cross_val_score(model, smiles, labels, cv=folds, scoring="roc_auc_ovr")
        print(
            f"{name:24s} ROC-AUC {scores.mean():.3f}, from {scores.min():.3f} to {scores.max():.3f} over {len(scores)} folds"
        )
    # ---------------------------------------------------------------------------------------------------------
    model = models["graph transformer"].fit(smiles, labels)
    new = {
        "caffeine": "CN1C=NC2=C1C(=O)N(C(=O)N2C)C",
        "glucose": "OCC1OC(O)C(O)C(O)C1O",
        "anthracene": "c1ccc2cc3ccccc3cc2c1",
    }
    for name, shares in zip(new, model.predict_proba(list(new.values())), strict=True):
        print(
            f"{name:24s}",
            *(f"{label} {share:.2f}" for label, share in zip(model.classes_, shares, strict=True)),
            sep="  ",
        )


if __name__ == "__main__":
    main()
