import json
import re

import pytest
import torch

from graphattn.training.folder.card import card_of
from graphattn.training.molecules.start import read_start
from graphattn.training.pretraining.saved import load
from graphattn.training.pretraining.workflow import RECIPE, PretrainingPlan, excluded_keys, gathered, pretrain
from graphattn.training.recipe import Architecture
from graphattn.training.runs import Interrupted

SMALL = Architecture(channels=8, heads=2, layers=1)


@pytest.fixture
def corpus(tmp_path):
    texts = ["C" * n + tail for n in range(1, 12) for tail in ("O", "N", "Cl", "C(=O)O")]
    path = tmp_path / "corpus.csv"
    path.write_text("\n".join(["smiles", *texts, "C1CC", "CO"]) + "\n")
    return path


def plan(out, passes=1, **more):
    return PretrainingPlan(out, passes, architecture=SMALL, **more)


def weights(folder):
    return load(folder).network.state_dict()


def test_pretraining_learns_and_leaves_a_folder_that_is_loaded(corpus, tmp_path):
    said = []
    made = pretrain([str(corpus)], plan(tmp_path / "out", passes=8), said.append, verbose=False)
    losses = [epoch["loss"] for epoch in made.record["curves"][0]]
    assert len(losses) == 8 * 7
    assert sum(losses[-7:]) < 0.8 * sum(losses[:7])
    again = load(tmp_path / "out")
    assert all(
        torch.equal(value, again.network.state_dict()[name]) for name, value in made.network.state_dict().items()
    )
    assert torch.equal(again.standardiser.knots, made.standardiser.knots)
    assert again.record == json.loads(json.dumps(made.record))
    assert "39 molecules learned from, 5 held out, 1 rows set aside, 0 molecules excluded" in card_of(tmp_path / "out")
    assert (tmp_path / "out" / "rejected.csv").read_text().splitlines()[1].startswith("46,unreadable SMILES")
    assert not (tmp_path / "out" / "training").exists()


def test_repeated_texts_count_once_and_the_most_are_drawn_by_seed(corpus, tmp_path):
    whole = gathered([str(corpus), str(corpus)], plan(tmp_path / "out"), lambda text: None)
    assert len(whole.texts) == len(set(whole.texts)) == 45
    assert whole.sizes == {"corpus.csv": 45}
    some = gathered([str(corpus)], plan(tmp_path / "out", most=20), lambda text: None)
    assert some.texts == whole.texts[:20]
    assert [place[1] for place in some.places] != sorted(place[1] for place in some.places)


def test_molecules_of_other_files_are_left_out_whatever_their_stereo(corpus, tmp_path):
    tests = tmp_path / "tests.csv"
    tests.write_text("smiles,y\nOCC,1\n[Na+].[O-]C(=O)C,0\nbad,1\n")
    said = []
    made = pretrain([str(corpus)], plan(tmp_path / "out", exclude=(str(tests),)), said.append, verbose=False)
    assert made.record["data"]["excluded"] == 1
    assert any(text.endswith("2 molecules are left out of pretraining") for text in said)
    assert f"{tests}: SMILES are in column 'smiles'" in said
    assert f"{tests}: 1 rows cannot be read and exclude nothing" in said
    assert len(excluded_keys((str(tests),), plan(tmp_path).chemistry, said.append)) == 2


def test_pretraining_that_has_nothing_left_leaves_no_folder(corpus, tmp_path):
    with pytest.raises(ValueError, match=r"SMILES of 45: .* are excluded; .*; give more molecules, or exclude fewer$"):
        pretrain([str(corpus)], plan(tmp_path / "out", exclude=(str(corpus),)), lambda text: None, verbose=False)
    assert not (tmp_path / "out").exists()


def test_sizes_that_do_not_fit_are_refused_before_molecules_are_described(corpus, tmp_path):
    wrong = PretrainingPlan(tmp_path / "out", architecture=Architecture(channels=7, heads=2))
    said = []
    with pytest.raises(ValueError, match=r"^expected channels that the heads divide, got channels=7 and heads=2$"):
        pretrain([str(corpus)], wrong, said.append, verbose=False)
    assert not any(text.startswith("described") for text in said)
    assert not (tmp_path / "out").exists()


def test_few_smiles_are_refused(tmp_path):
    path = tmp_path / "few.csv"
    path.write_text("smiles\nCCO\nCCN\nCCO\n")
    with pytest.raises(ValueError, match="expected 20 or more different SMILES to learn from, got 2"):
        pretrain([str(path)], plan(tmp_path / "out"), print)


def test_a_stopped_pretraining_goes_on_to_the_same_bits(corpus, tmp_path, monkeypatch):
    pretrain([str(corpus)], plan(tmp_path / "whole"), lambda text: None, verbose=False)
    from graphattn.training.callbacks import Keeper

    ended = Keeper.on_train_epoch_end

    def stop_after_three(self, trainer, module):
        ended(self, trainer, module)
        if trainer.current_epoch == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Keeper, "on_train_epoch_end", stop_after_three)
        with pytest.raises(Interrupted):
            pretrain([str(corpus)], plan(tmp_path / "out"), lambda text: None, verbose=False)
    other = tmp_path / "other.csv"
    other.write_text(corpus.read_text() + "CCCCBr\n")
    with pytest.raises(ValueError, match=r"cannot resume .*: SMILES was '45, sha256 \w+', is now '46, sha256 \w+'"):
        pretrain([str(other)], plan(tmp_path / "out", resume=True), lambda text: None, verbose=False)
    pretrain([str(corpus)], plan(tmp_path / "out", resume=True), lambda text: None, verbose=False)
    whole, resumed = weights(tmp_path / "whole"), weights(tmp_path / "out")
    assert all(torch.equal(value, resumed[name]) for name, value in whole.items())


def test_a_second_stage_goes_on_from_the_first_with_its_sizes_and_statistics(corpus, tmp_path):
    first = pretrain([str(corpus)], plan(tmp_path / "first"), lambda text: None, verbose=False)
    later = PretrainingPlan(tmp_path / "second", passes=1, start=tmp_path / "first", recipe=RECIPE)
    second = pretrain([str(corpus)], later, lambda text: None, verbose=False)
    assert second.architecture == SMALL.to_dict()
    assert torch.equal(second.standardiser.knots, first.standardiser.knots)
    losses = [made.record["curves"][0][0]["loss"] for made in (first, second)]
    assert losses[1] < losses[0]
    assert f"Started from: {tmp_path / 'first'}" in card_of(tmp_path / "second")


def test_a_trained_model_is_no_pretrained_one_and_the_other_way_round(corpus, tmp_path):
    from graphattn.training.molecules.saved import load as load_model

    pretrain([str(corpus)], plan(tmp_path / "out"), lambda text: None, verbose=False)
    with pytest.raises(
        ValueError,
        match=re.escape(
            "describes a pretrained network, which 'train --from' starts from: expected a model of molecules"
        ),
    ):
        load_model(tmp_path / "out")
    assert read_start(tmp_path / "out").name == "out"


def test_changed_folders_are_refused_by_file(corpus, tmp_path):
    pretrain([str(corpus)], plan(tmp_path / "out"), lambda text: None, verbose=False)
    path = tmp_path / "out" / "model.json"
    path.write_text(path.read_text().replace('"channels": 8', '"channels": 9'))
    with pytest.raises(ValueError, match=re.escape("model.json")):
        load(tmp_path / "out")
    (tmp_path / "out" / "manifest.json").unlink()
    with pytest.raises(ValueError, match=re.escape("manifest.json is missing")):
        load(tmp_path / "out")


def test_half_precision_is_half_the_size_and_read_as_whole(corpus, tmp_path):
    made = pretrain([str(corpus)], plan(tmp_path / "out"), lambda text: None, verbose=False)
    made.save(tmp_path / "half", torch.float16)
    sizes = [(tmp_path / name / "model.safetensors").stat().st_size for name in ("out", "half")]
    assert sizes[1] < 0.6 * sizes[0]
    for name, weight in load(tmp_path / "half").network.state_dict().items():
        assert weight.dtype == torch.float32
        assert torch.equal(weight, made.network.state_dict()[name].half().float()), name
    assert read_start(tmp_path / "half").weights["trunk.norm.weight"].dtype == torch.float32
