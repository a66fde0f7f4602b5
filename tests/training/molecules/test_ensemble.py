import os
import re
import signal

import pytest
import torch

from graphattn.data.tasks import Task
from graphattn.training.module import LearningModule
from graphattn.training.molecules.ensemble import fit_molecules
from graphattn.training.recipe import Hardware, MoleculeRecipe
from graphattn.training.runs import Interrupted

TASK = Task("binary", ("oxygen",), ("no", "yes"))
RECIPE = MoleculeRecipe(epochs=4, batch_size=5, learning_rate=0.02, atom_mask=0.1, average=0.9, monitor="loss", seed=3)


def weights(model):
    return [member.state_dict() for member in model.members]


def same(first, second):
    return all(torch.equal(a[name], b[name]) for a, b in zip(first, second, strict=True) for name in a)


@pytest.fixture
def parts(make_graphs, tiny):
    graphs = make_graphs(32, descriptors=2)
    return {"train": graphs[:24], "validation": graphs[24:], "task": TASK, "architecture": tiny}


@pytest.fixture
def stop_at(monkeypatch):
    """stop_at(step): Ctrl-C arrives in the training step of that number, once."""

    def arrange(step, member=0):
        original = LearningModule.training_step
        waiting = [True]

        def interrupted(self, batch, index):
            if waiting and self.global_step == step and self.member == member:
                waiting.clear()
                raise KeyboardInterrupt
            return original(self, batch, index)

        monkeypatch.setattr(LearningModule, "training_step", interrupted)

    return arrange


def test_learns_what_the_atoms_say(parts):
    model = fit_molecules(**parts, recipe=MoleculeRecipe(epochs=15, batch_size=8, learning_rate=0.05, average=0.0))
    assert model.record["training"][0]["val_score"] > 0.9
    assert model.predict(parts["validation"]).shape == (8, 1)
    assert not model.members[0].training


def test_equal_seeds_give_equal_weights_and_leave_the_callers_random_state_alone(parts):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first = fit_molecules(**parts, recipe=RECIPE)
    assert torch.equal(torch.rand(1), expected)
    assert same(weights(first), weights(fit_molecules(**parts, recipe=RECIPE)))
    other = MoleculeRecipe(**{**RECIPE.__dict__, "seed": 4})
    assert not same(weights(first), weights(fit_molecules(**parts, recipe=other)))


@pytest.mark.parametrize("average", [0.0, 0.9])
@pytest.mark.parametrize("step", [2, 5, 12])
def test_resumed_run_ends_at_the_weights_of_an_uninterrupted_one(parts, stop_at, tmp_path, step, average):
    """An epoch is 5 steps: Ctrl-C in the first epoch, at the start of the second, within the third."""
    recipe = MoleculeRecipe(**{**RECIPE.__dict__, "average": average})
    whole = fit_molecules(**parts, recipe=recipe)
    assert whole.record["training"][0]["best_epoch"] == 4
    handler = signal.getsignal(signal.SIGINT)
    stop_at(step)
    with pytest.raises(Interrupted) as caught:
        fit_molecules(**parts, recipe=recipe, folder=tmp_path)
    assert signal.getsignal(signal.SIGINT) is handler
    assert caught.value.model.predict(parts["validation"]).shape == (8, 1)
    resumed = fit_molecules(**parts, recipe=recipe, folder=tmp_path, resume=True)
    assert same(weights(resumed), weights(whole))
    assert {k: v for k, v in resumed.record["training"][0].items() if k != "seconds"} == {
        k: v for k, v in whole.record["training"][0].items() if k != "seconds"
    }


@pytest.mark.parametrize("patience", [1, 20])
def test_run_interrupted_after_its_last_epoch_does_not_go_on(parts, tmp_path, monkeypatch, patience):
    """At patience 1 the rate of 0.5 makes the run stop early; else it is at its last epoch."""
    changes = {"learning_rate": 0.5, "patience": 1} if patience == 1 else {}
    recipe = MoleculeRecipe(**{**RECIPE.__dict__, "epochs": 6, **changes})
    whole = fit_molecules(**parts, recipe=recipe)

    def stop(self):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(LearningModule, "on_train_end", stop)
        with pytest.raises(Interrupted):
            fit_molecules(**parts, recipe=recipe, folder=tmp_path)
    steps = []
    original = LearningModule.training_step
    monkeypatch.setattr(LearningModule, "training_step", lambda *args: steps.append(1) or original(*args))
    resumed = fit_molecules(**parts, recipe=recipe, folder=tmp_path, resume=True)
    assert same(weights(resumed), weights(whole))
    assert not steps


def test_of_equal_scores_the_lower_loss_is_better(parts):
    model = fit_molecules(**parts, recipe=MoleculeRecipe(epochs=12, batch_size=8, learning_rate=0.05, average=0.0))
    history = model.record["training"][0]
    assert history["val_score"] == 1.0
    assert history["best_epoch"] > 8


def test_ensemble_resumes_in_its_second_member(parts, stop_at, tmp_path):
    recipe = MoleculeRecipe(**{**RECIPE.__dict__, "members": 2})
    whole = fit_molecules(**parts, recipe=recipe)
    stop_at(7, member=1)
    with pytest.raises(Interrupted) as caught:
        fit_molecules(**parts, recipe=recipe, folder=tmp_path)
    assert len(caught.value.model.members) == 2
    resumed = fit_molecules(**parts, recipe=recipe, folder=tmp_path, resume=True)
    assert same(weights(resumed), weights(whole))
    assert not same(weights(whole)[:1], weights(whole)[1:])


def test_number_of_threads_is_put_back(parts, monkeypatch):
    inside, before = [], torch.get_num_threads()
    original = LearningModule.training_step
    monkeypatch.setattr(
        LearningModule, "training_step", lambda *args: inside.append(torch.get_num_threads()) or original(*args)
    )
    fit_molecules(**parts, recipe=MoleculeRecipe(epochs=1), hardware=Hardware(threads=3))
    assert set(inside) == {3}
    assert torch.get_num_threads() == before


def test_keeps_the_best_epoch_and_stops_early(parts):
    recipe = MoleculeRecipe(epochs=30, batch_size=8, learning_rate=0.5, patience=2, monitor="loss", average=0.0)
    model = fit_molecules(**parts, recipe=recipe)
    history = model.record["training"][0]
    assert history["best_epoch"] < 28
    from graphattn.training.molecules.objective import Objective
    from graphattn.training.molecules.packed import Packed

    y = torch.cat([graph.y for graph in parts["train"]])
    packed = Packed.of(parts["validation"], model.standardiser)
    with torch.no_grad():
        loss = Objective(TASK, y, 1.0).of(model.members[0](packed[range(8)]), packed.beside["y"])
    assert loss.item() == pytest.approx(history["val_loss"], rel=1e-4)


def test_logs_are_written_for_every_epoch(parts, tmp_path):
    fit_molecules(**parts, recipe=RECIPE, folder=tmp_path)
    lines = (tmp_path / "logs" / "model-1" / "metrics.csv").read_text().splitlines()
    assert set(lines[0].split(",")) == {"epoch", "loss", "rate", "step", "val_loss", "val_score"}
    assert len(lines) == 1 + RECIPE.epochs


def test_progress_is_shown_only_when_asked_for(parts, capfd):
    fit_molecules(**parts, recipe=RECIPE)
    assert capfd.readouterr() == ("", "")
    fit_molecules(**parts, recipe=RECIPE, verbose=True)
    assert "validation ROC-AUC" in capfd.readouterr().err


def test_sigterm_ends_training_between_two_steps(parts, tmp_path, monkeypatch):
    original, waiting = LearningModule.training_step, [True]

    def stop(self, batch, index):
        if waiting and self.global_step == 7:
            waiting.clear()
            os.kill(os.getpid(), signal.SIGTERM)
        return original(self, batch, index)

    whole = fit_molecules(**parts, recipe=RECIPE)
    monkeypatch.setattr(LearningModule, "training_step", stop)
    with pytest.raises(Interrupted):
        fit_molecules(**parts, recipe=RECIPE, folder=tmp_path)
    assert same(weights(fit_molecules(**parts, recipe=RECIPE, folder=tmp_path, resume=True)), weights(whole))


@pytest.mark.parametrize("name", ["settings.json", "member-1.json"])
def test_a_torn_file_is_named(parts, stop_at, tmp_path, name):
    stop_at(12, member=1)
    with pytest.raises(Interrupted):
        fit_molecules(**parts, recipe=MoleculeRecipe(**{**RECIPE.__dict__, "members": 2}), folder=tmp_path)
    torn = tmp_path / "training" / name
    torn.write_text(torn.read_text()[:20])
    with pytest.raises(ValueError, match=f"{torn} is damaged: .*; remove the folder {tmp_path} and train again"):
        fit_molecules(**parts, recipe=MoleculeRecipe(**{**RECIPE.__dict__, "members": 2}), folder=tmp_path, resume=True)


def test_a_run_that_was_killed_before_it_began_begins_anew(parts, tmp_path):
    (tmp_path / "training").mkdir()
    (tmp_path / "training" / "member-1.ckpt").write_text("of another run")
    resumed = fit_molecules(**parts, recipe=RECIPE, folder=tmp_path, resume=True)
    assert same(weights(resumed), weights(fit_molecules(**parts, recipe=RECIPE)))


def test_resume_needs_a_folder(parts):
    with pytest.raises(ValueError, match="resume needs the folder of the interrupted run, got folder=None"):
        fit_molecules(**parts, recipe=RECIPE, resume=True)


def test_resume_needs_a_checkpoint(parts, tmp_path):
    with pytest.raises(ValueError, match=re.escape(f"nothing to resume in {tmp_path}")):
        fit_molecules(**parts, recipe=RECIPE, folder=tmp_path, resume=True)


def test_resume_needs_the_same_settings_and_molecules(parts, stop_at, tmp_path):
    stop_at(7)
    with pytest.raises(Interrupted):
        fit_molecules(**parts, recipe=RECIPE, folder=tmp_path)
    other = MoleculeRecipe(**{**RECIPE.__dict__, "learning_rate": 0.01})
    with pytest.raises(ValueError, match=r"learning_rate was 0.02, is now 0.01"):
        fit_molecules(**parts, recipe=other, folder=tmp_path, resume=True)
    with pytest.raises(ValueError, match=r"training molecules was '24, sha256 \w+', is now '23, "):
        fit_molecules(**{**parts, "train": parts["train"][:23]}, recipe=RECIPE, folder=tmp_path, resume=True)


def test_a_new_run_forgets_the_checkpoints_of_an_old_one(parts, stop_at, tmp_path):
    whole = fit_molecules(**parts, recipe=RECIPE)
    stop_at(12)
    with pytest.raises(Interrupted):
        fit_molecules(**parts, recipe=MoleculeRecipe(**{**RECIPE.__dict__, "seed": 9}), folder=tmp_path)
    assert same(weights(fit_molecules(**parts, recipe=RECIPE, folder=tmp_path)), weights(whole))


def test_infinite_weights_are_reported(parts):
    wild = MoleculeRecipe(epochs=2, learning_rate=1e30, gradient_clip=1e30, weight_decay=1e30, average=0.0)
    with pytest.raises(ValueError, match=r"training diverged: the loss became nan at learning_rate 1e\+30"):
        fit_molecules(**parts, recipe=wild)


def test_one_molecule_of_one_class_trains(make_graphs, tiny):
    graphs = make_graphs(1)
    model = fit_molecules(graphs, graphs, TASK, architecture=tiny, recipe=MoleculeRecipe(epochs=1))
    assert model.predict(graphs).shape == (1, 1)
