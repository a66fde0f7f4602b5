from types import SimpleNamespace

import numpy as np
import pytest
import torch

from graphattn.data.splits import Split
from graphattn.data.tasks import Task
from graphattn.training.molecules.forests import choosing
from graphattn.training.molecules.forests.choosing import Learner, best_share
from graphattn.training.molecules.saved import load
from graphattn.training.molecules.start import StartingWeights
from graphattn.training.recipe import MoleculeRecipe
from graphattn.training.runs import Interrupted

BINARY = Task("binary", ("oxygen",), ("no", "yes"))
RECIPE = MoleculeRecipe(epochs=1, batch_size=8)
DRAWS = [
    Split(np.arange(0, 14), np.arange(14, 19), np.arange(19, 24)),
    Split(np.arange(10, 24), np.arange(5), np.arange(5, 10)),
]
pytestmark = pytest.mark.usefixtures("few_trees")


@pytest.fixture
def learner(tiny):
    return Learner(BINARY, RECIPE, tiny)


def same(one, other):
    return all(
        torch.equal(value, second.state_dict()[name])
        for first, second in zip(one.members, other.members, strict=True)
        for name, value in first.state_dict().items()
    )


def test_a_blend_is_the_mean_by_its_share(learner, make_described, tmp_path):
    parts = make_described()
    model, (graph, forest) = learner.fit("blend", parts)
    share = model.forest.share
    assert 0.25 <= share <= 0.75
    mean = (1 - share) * graph.predict(parts[1]) + share * forest.predict(parts[1])
    assert model.predict(parts[1]) == pytest.approx(mean, abs=1e-15)
    assert model.name == "graph transformer and extra trees"
    again = load(model.save(tmp_path))
    assert np.array_equal(again.predict(parts[1]), model.predict(parts[1]))
    assert len(again.members) == 2


def test_an_ensemble_shares_what_the_forest_leaves(tiny, make_described):
    parts = make_described()
    model = Learner(BINARY, MoleculeRecipe(epochs=1, members=2), tiny).fit("blend", parts).model
    assert len(model.members) == 3
    assert model.shares.sum() == pytest.approx(1)
    assert model.shares[0] == model.shares[1] == (1 - model.shares[2]) / 2


@pytest.mark.parametrize(("graph", "forest", "share"), [(1, -1, 0.375), (-1, 1, 0.625), (1, 1, 0.5), (0, 0, 0.5)])
def test_the_share_is_the_best_that_is_nearest_to_a_half_moved_half_the_way(make_described, graph, forest, share):
    """Answers that are right (1), wrong (-1) or all alike (0): the mean is right if the right one counts more."""
    _, validation = make_described()
    truth = torch.cat([each.y for each in validation]).numpy().astype(float)
    models = [
        SimpleNamespace(task=BINARY, predict=lambda graphs, of=of: 0.5 + of * (truth - 0.5)) for of in (graph, forest)
    ]
    assert best_share(*models, validation) == share


def test_what_does_best_on_inner_splits_is_kept(learner, make_described, monkeypatch):
    parts = make_described()
    values = iter([0.9, 0.6, 0.7, 0.8, 0.5, 0.75])
    monkeypatch.setattr(choosing, "_score", lambda model, graphs: next(values))
    model, beside = learner.fit("auto", parts, DRAWS)
    assert model.forest is None
    assert [each.name for each in beside] == ["extra trees", "graph transformer and extra trees"]
    choice = model.record["choice"]
    assert (choice["kept"], choice["measure"], choice["inner"]) == ("graph", "ROC-AUC", 2)
    assert choice["scores"] == {"graph": [0.9, 0.8], "forest": [0.6, 0.5], "blend": [0.7, 0.75]}
    assert choice["differences"]["forest"] == pytest.approx([0.3, 0.3, 0.3])
    mean, low, high = choice["differences"]["blend"]
    assert (mean, low < 0.05 < 0.2 < high) == (pytest.approx(0.125), True)


def test_undefined_scores_do_not_decide(learner, make_described, monkeypatch):
    values = iter([0.6, 0.5, 0.5, float("nan"), 0.99, float("nan")])
    monkeypatch.setattr(choosing, "_score", lambda model, graphs: next(values))
    choice = learner.fit("auto", make_described(), DRAWS).model.record["choice"]
    assert choice["kept"] == "forest"
    assert choice["differences"]["graph"][0] == pytest.approx(-0.1)


def test_without_inner_splits_the_validation_part_decides(learner, make_described):
    model, beside = learner.fit("auto", make_described())
    choice = model.record["choice"]
    assert choice["inner"] == 0
    assert len(beside) == 2
    assert all(len(scores) == 1 for scores in choice["scores"].values())


def test_an_interrupted_choice_goes_on_to_the_same_model(learner, make_described, tmp_path, monkeypatch):
    parts, fit = make_described(), choosing.fit_molecules
    whole = learner.fit("auto", parts, DRAWS).model
    calls = []

    def stopping(*given, **options):
        calls.append(options["folder"])
        if len(calls) == 3:
            raise Interrupted(None)
        return fit(*given, **options)

    with monkeypatch.context() as patch:
        patch.setattr(choosing, "fit_molecules", stopping)
        with pytest.raises(Interrupted) as caught:
            learner.fit("auto", parts, DRAWS, tmp_path)
    assert caught.value.model.name == "graph transformer and extra trees"
    assert [path.relative_to(tmp_path).as_posix() for path in calls] == [".", "training/inner-1", "training/inner-2"]
    resumed = learner.fit("auto", parts, DRAWS, tmp_path, resume=True).model
    assert same(whole, resumed)
    assert resumed.record["choice"] == whole.record["choice"]


def test_a_forest_that_is_interrupted_leaves_the_network(learner, make_described, monkeypatch):
    monkeypatch.setattr(choosing, "best_forest", lambda *given: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(Interrupted) as caught:
        learner.fit("blend", make_described())
    assert caught.value.model.name == "graph transformer"


def test_a_forest_has_no_network_to_start_from(tiny, make_described):
    start = StartingWeights("other", tiny, {})
    with pytest.raises(ValueError, match="expected no network to start from, since a forest has none; got --from"):
        Learner(BINARY, RECIPE, start=start).fit("forest", make_described())
