"""The helpers of the benchmark of explanations, on molecules of a few atoms."""

import json

import numpy as np
import pytest
from rdkit import Chem
from typer.testing import CliRunner

from benchmarks.explanations import __main__ as command
from benchmarks.explanations import large
from benchmarks.explanations.hiding import WAYS
from benchmarks.explanations.report import table
from benchmarks.explanations.toxicophores import PATTERNS, Case, Setting, by_forest, connected, measure
from graphattn.explain.molecules.subject import to_data
from graphattn.explain.subject import Mask

ENDS = {"[N+](=O)[O-]": 1, "N": 1, "O": 0, "C(=O)O": 0}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "mutagenic.csv"
    rings = ("c1ccccc1", "c1ccncc1", "c1ccc2ccccc2c1", "c1ccsc1", "c1ccc(-c2ccccc2)cc1", "C1CCCCC1c1ccccc1")
    rows = [f"{chain}{ring}{end}" for ring in rings for chain in ("C", "CC", "CCC") for end in ENDS]
    labels = [label for _ in rings for _ in range(3) for label in ENDS.values()]
    rows = [f"{smiles},{label}" for smiles, label in zip(rows, labels, strict=True)]
    path.write_text("\n".join(["smiles,mutagenic", *rows]) + "\n")
    return path


def test_groups_are_matched_as_the_readme_says():
    assert [len(PATTERNS["nitro"].GetAtoms()), PATTERNS["aromatic amine"].GetNumAtoms()] == [3, 1]
    for smiles, nitro, amine in (("Nc1ccccc1", 0, 1), ("CN", 0, 0), ("CNc1ccccc1", 0, 0), ("C[N+](=O)[O-]", 1, 0)):
        molecule = Chem.MolFromSmiles(smiles)
        found = [len(molecule.GetSubstructMatches(PATTERNS[name])) for name in ("nitro", "aromatic amine")]
        assert found == [nitro, amine]


def test_random_groups_are_connected_of_the_same_size_and_others():
    molecule, generator = Chem.MolFromSmiles("CCCC[N+](=O)[O-]"), np.random.default_rng(0)
    for _ in range(20):
        group = connected(molecule, (4, 5, 6), generator)
        assert len(group) == 3
        assert group != (4, 5, 6)
        assert len(Chem.GetMolFrags(Chem.MolFromSmiles(Chem.MolFragmentToSmiles(molecule, group)))) == 1
    with pytest.raises(ValueError, match="expected another connected group of 3 atoms in CCC, got none"):
        connected(Chem.MolFromSmiles("CCC"), (0, 1, 2), generator)


def test_an_explainer_that_knows_the_group_has_all_points():
    molecule = Chem.MolFromSmiles("CCc1ccccc1[N+](=O)[O-]")
    (atoms,) = molecule.GetSubstructMatches(PATTERNS["nitro"])

    def knows(given, groups):
        named = np.isin(np.arange(given.GetNumAtoms()), atoms).astype(float)
        return named, np.array([named[list(group)].mean() for group in groups])

    (case,) = measure(knows, [molecule], [Case(0, "nitro", atoms)], seed=0)["cases"]
    assert case[:3] == ["nitro", 1.0, 1.0]
    assert case[3] < 1


@pytest.fixture(autouse=True)
def few_trees(monkeypatch):
    monkeypatch.setattr("benchmarks.explanations.toxicophores.TREES", 20)


def test_all_is_measured_kept_and_printed_again(data, tmp_path):
    options = ["--data", str(data), "--records", str(tmp_path / "records.jsonl"), "--models", str(tmp_path / "models")]
    options += ["--seeds", "1", "--epochs", "8"]
    for name, explainers in (("toxicophores", 3), ("hiding", len(WAYS))):
        result = CliRunner().invoke(command.application, [name, *options], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        kept = [json.loads(line) for line in (tmp_path / "records.jsonl").read_text().splitlines()]
        assert len(kept) == (3 if name == "toxicophores" else 3 + explainers)
    again = CliRunner().invoke(command.application, ["report", "--records", str(tmp_path / "records.jsonl")])
    assert "| random forest, ECFP4 | 1 |" in again.stdout
    assert "aim of 0.8" in again.stdout
    # What is there is not computed again.
    before = (tmp_path / "records.jsonl").read_text()
    CliRunner().invoke(command.application, ["toxicophores", *options], catch_exceptions=False)
    assert (tmp_path / "records.jsonl").read_text() == before
    (folder,) = (tmp_path / "models").iterdir()
    assert "10 atoms and 9 bonds: peak memory" in large.memory(folder, 10, bonds=True)


def test_the_forest_is_masked_by_removing_atoms(data, tmp_path):
    setting = Setting(data, 0, 1, 1, tmp_path)
    atoms, groups = by_forest(setting.forest)(Chem.MolFromSmiles("Cc1ccccc1[N+](=O)[O-]"), [(7, 8, 9)])
    assert atoms.shape == (10,)
    assert groups[0] > 0.2


@pytest.mark.parametrize("name", WAYS)
def test_ways_to_hide_an_atom(name):
    molecule = Chem.MolFromSmiles("CCO")
    graph = to_data(molecule)
    graph["molecule"] = molecule
    hidden, described = WAYS[name](graph, Mask(nodes=(2,)))
    assert {"fixed": "CCO", "rest": "CC", "out": "CC", "carbon": "CCC"}[
        name.split()[-1].replace("(chosen)", "carbon")
    ] == Chem.MolToSmiles(described)
    assert len(hidden["x"]) == (2 if name == "taken out" else 3)


def test_tables_have_means_over_molecules_and_then_seeds():
    cases = [["nitro", 1.0, 0.5, 0.1], ["aromatic amine", 0.5, 0.1, 0.2]]
    text = table(
        [{"explainer": "a", "cases": cases}, {"explainer": "a", "cases": [*cases[:1], ["aromatic amine", 0.0, 0, 0]]}]
    )
    assert "| a | 2 | 4 | 0.625 ± 0.177 | 1.000 ± 0.000 | 0.250 ± 0.354 |" in text
