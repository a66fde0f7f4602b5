import math
import warnings
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch_geometric.data import Batch, Data

from graphattn.data.generated import xor
from graphattn.data.images import Noisy
from graphattn.data.sequences import sequence
from graphattn.models import EachNode, Encoder, FeatureEmbedding, TokenEmbedding, learned
from graphattn.training.craft import accuracy, cross_entropy, exact_match, squared_error
from graphattn.training.fitting import csv_logger, evaluate, fit, fit_ensemble
from graphattn.training.module import LearningModule
from graphattn.training.recipe import Recipe
from graphattn.training.runs import Interrupted

RECIPE = Recipe(epochs=3, batch_size=4, passes=3)


def make(seed=0, dropout=0.0):
    torch.manual_seed(seed)
    return Encoder(TokenEmbedding(2, 8), 2, heads=2, layers=1, dropout=dropout, positional=learned(2))


def weights(model):
    return torch.cat([weight.detach().flatten() for weight in model.parameters()])


def test_curves_have_a_row_for_each_epoch_and_the_model_is_ready():
    model = make()
    curves = fit(model, xor(), xor(), RECIPE)
    assert [sorted(row) for row in curves.epochs] == [["loss", "rate", "step", "val_accuracy", "val_loss"]] * 3
    assert curves.column("step") == [3, 6, 9]
    assert curves.kept == 2
    assert not model.training
    known = evaluate(model, xor())
    assert known["loss"] == pytest.approx(curves.epochs[-1]["val_loss"])
    assert known["accuracy"] == curves.epochs[-1]["val_accuracy"]


def test_a_seed_repeats_all_of_it_and_leaves_the_callers_alone():
    torch.manual_seed(5)
    expected = torch.rand(1)
    results = []
    for _ in range(2):
        model = make(dropout=0.3)
        torch.manual_seed(5)
        fit(model, xor(), None, RECIPE)
        assert torch.equal(torch.rand(1), expected)
        results.append(weights(model))
    assert torch.equal(*results)
    other = make(dropout=0.3)
    fit(other, xor(), None, replace(RECIPE, seed=1))
    assert not torch.equal(weights(other), results[0])


def test_training_says_nothing(capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(make(), xor(), xor(), RECIPE)
    assert capfd.readouterr().out == ""


def test_it_is_adamw_with_clipped_gradients():
    model, mine = make(), make()
    batch = Batch.from_data_list(xor())
    recipe = Recipe(
        epochs=1, batch_size=4, schedule="constant", gradient_clip=0.1, weight_decay=0.5, learning_rate=0.01
    )
    fit(model, xor(), None, recipe)
    groups = [[w for w in mine.parameters() if w.dim() > 1], [w for w in mine.parameters() if w.dim() == 1]]
    optimizer = torch.optim.AdamW(
        [{"params": groups[0], "weight_decay": 0.5}, {"params": groups[1], "weight_decay": 0.0}], lr=0.01
    )
    nn.functional.cross_entropy(mine(batch), batch.y).backward()
    nn.utils.clip_grad_norm_(mine.parameters(), 0.1)
    optimizer.step()
    # The order of the four graphs in the batch moves the last digits, which AdamW's first step makes visible.
    torch.testing.assert_close(weights(model), weights(mine), atol=2e-3, rtol=0)
    assert not torch.allclose(weights(model), weights(make()), atol=2e-3)


def test_rates_follow_the_schedule():
    rates = {}
    for name, schedule in {"cosine": "warmup_cosine", "cycle": "one_cycle", "constant": "constant"}.items():
        recipe = Recipe(epochs=8, batch_size=4, learning_rate=0.01, warmup=0.5, schedule=schedule)
        rates[name] = fit(make(), xor(), None, recipe).column("rate")
    assert rates["constant"] == [0.01] * 8
    assert rates["cosine"][:4] == pytest.approx([0.005, 0.0075, 0.01, 0.01])
    assert rates["cosine"][-1] == pytest.approx(0, abs=1e-9)
    assert max(rates["cycle"]) == pytest.approx(0.01, rel=0.1)
    assert rates["cycle"][-1] < rates["cycle"][0] < max(rates["cycle"])


def test_the_rate_falls_on_a_plateau():
    recipe = Recipe(epochs=8, batch_size=4, learning_rate=1e-6, schedule="plateau")
    rates = fit(make(), xor(), xor(), recipe).column("rate")
    assert rates[0] == 1e-6
    assert rates[-1] == 0.5e-6


def test_patience_stops_and_keeps_the_best_weights():
    model = make()
    # What is validated is the opposite of what is learned: it is best at first.
    wrong = [sequence(data.token, 1 - data.y) for data in xor()]
    curves = fit(model, xor(), wrong, Recipe(epochs=50, batch_size=4, passes=20, patience=2))
    assert len(curves.epochs) < 10
    assert evaluate(model, wrong)["loss"] == pytest.approx(min(curves.column("val_loss")))
    assert curves.kept == curves.column("val_loss").index(min(curves.column("val_loss")))


@pytest.mark.parametrize("average", [{"average": 0.9}, {"average": 1.0, "average_from": 0.5}])
def test_what_is_validated_and_kept_is_the_average(average):
    plain, averaged = make(), make()
    fit(plain, xor(), xor(), RECIPE)
    curves = fit(averaged, xor(), xor(), replace(RECIPE, **average))
    assert not torch.allclose(weights(plain), weights(averaged), atol=1e-6)
    assert evaluate(averaged, xor())["loss"] == pytest.approx(curves.epochs[-1]["val_loss"])


def test_the_equal_average_is_the_mean_of_the_last_steps():
    recipe = Recipe(epochs=4, batch_size=4, schedule="constant")
    steps = []
    for epochs in range(1, 5):
        model = make()
        fit(model, xor(), None, replace(recipe, epochs=epochs))
        steps.append(weights(model))
    averaged = make()
    fit(averaged, xor(), None, replace(recipe, average=1.0, average_from=0.5))
    torch.testing.assert_close(weights(averaged), torch.stack(steps[2:]).mean(0), atol=1e-6, rtol=1e-5)


def test_curves_are_written(tmp_path):
    fit(make(), xor(), xor(), RECIPE, loggers=[csv_logger(tmp_path)])
    lines = (tmp_path / "version_0" / "metrics.csv").read_text().splitlines()
    assert {"loss", "val_loss", "val_accuracy", "rate"} <= set(lines[0].split(","))
    assert len(lines) == 4


def test_an_ensemble_says_the_mean_of_its_probabilities():
    batch = Batch.from_data_list(xor())
    ensemble, curves = fit_ensemble(make, 3, xor(), None, RECIPE)
    assert len(curves) == 3
    truth = torch.stack([model(batch).softmax(-1) for model in ensemble.models]).mean(0)
    torch.testing.assert_close(ensemble(batch).exp(), truth)
    assert not torch.equal(ensemble.models[0](batch), ensemble.models[1](batch))


def test_losses_and_measures():
    batch = Batch.from_data_list([sequence([0, 1], [0, 1]), sequence([1, 1, 0], [1, -100, 1])])
    out = torch.eye(2)[batch.token] * 9
    assert accuracy(out, batch).tolist() == [1, 1, 1, 0]
    assert exact_match(out, batch).tolist() == [1, 0]
    expected = nn.functional.cross_entropy(out, batch.y, label_smoothing=0.1)
    assert torch.equal(cross_entropy(0.1)(out, batch), expected)
    assert float(squared_error(torch.zeros(5, 1), sequence([0] * 5, [1, 2, 0, 0, 0]))) == 1.0


def test_where_nothing_is_asked_nothing_is_lost():
    graphs = [sequence([0, 1], [-100, -100]), sequence([1, 0], [1, -100]), sequence([], torch.tensor([]).long())]
    model = Encoder(TokenEmbedding(2, 8), 2, heads=2, readout=EachNode)
    loss = cross_entropy()(model(Batch.from_data_list(graphs[:1])), Batch.from_data_list(graphs[:1]))
    loss.backward()
    assert loss == 0
    assert not any(weight.grad is not None and weight.grad.any() for weight in model.parameters())
    measures = {"accuracy": accuracy, "exact": exact_match}
    one, many = (evaluate(model, graphs, measures=measures, batch_size=size) for size in (1, 3))
    assert one == pytest.approx(many)
    assert math.isfinite(one["loss"])
    batch = Batch.from_data_list(graphs)
    assert exact_match(torch.eye(2)[batch.token] * 9, batch).tolist() == [1]


def test_evaluation_is_the_same_for_any_batches():
    graphs = [sequence(torch.randint(2, (n,)), torch.randint(2, (n,))) for n in (1, 2, 2)]
    model = Encoder(TokenEmbedding(2, 8), 2, heads=2, positional=learned(2), readout=EachNode)
    measures = {"accuracy": accuracy, "exact": exact_match}
    one, many = (evaluate(model, graphs, measures=measures, batch_size=size) for size in (1, 3))
    assert one == pytest.approx(many)


def test_divergence_is_said():
    with pytest.raises(ValueError, match=r"training diverged: the loss became nan at learning_rate 0.003"):
        fit(make(), xor(), None, RECIPE, loss=lambda out, batch: out.sum() * math.nan)


def test_what_cannot_be_trained_is_refused():
    with pytest.raises(ValueError, match="got 0 and 0 with patience=None"):
        fit(make(), [], None, RECIPE)
    with pytest.raises(ValueError, match="got 4 and 0 with patience=2"):
        fit(make(), xor(), None, replace(RECIPE, patience=2))
    with pytest.raises(ValueError, match="epochs must be a whole number from 1 up, got 0"):
        Recipe(epochs=0)
    with pytest.raises(ValueError, match="gradient_clip must be above 0, got 0"):
        Recipe(gradient_clip=0)
    with pytest.raises(ValueError, match="weight_decay must be 0 or more, got -1"):
        Recipe(weight_decay=-1)


def noisy(dropout=0.3):
    """Random numbers are drawn where batches are loaded, and in the model."""
    torch.manual_seed(0)
    graphs = [Data(x=torch.randn(n, 4), y=torch.tensor([n % 2])) for n in range(1, 13)]
    torch.manual_seed(1)
    model = Encoder(FeatureEmbedding(4, 8), 2, heads=2, layers=1, dropout=dropout)
    return model, Noisy(graphs, 0.1), graphs[:5]


@pytest.mark.parametrize("patience", [None, 10])
@pytest.mark.parametrize("step", [1, 6, 9])
def test_a_resumed_run_ends_at_the_weights_of_an_uninterrupted_one(tmp_path, monkeypatch, step, patience):
    """An epoch is 3 steps: Ctrl-C in the first epoch, at the start of the third, at the start of the last."""
    recipe = Recipe(epochs=4, batch_size=4, average=0.9, patience=patience, seed=2)
    whole, *parts = noisy()
    curves = fit(whole, *parts, recipe)
    original, waiting = LearningModule.training_step, [True]

    def interrupted(self, batch, index):
        if waiting and self.global_step == step:
            waiting.clear()
            raise KeyboardInterrupt
        return original(self, batch, index)

    monkeypatch.setattr(LearningModule, "training_step", interrupted)
    model, *parts = noisy()
    with pytest.raises(Interrupted) as caught:
        fit(model, *parts, recipe, folder=tmp_path)
    assert caught.value.model is model
    assert not model.training
    again, *parts = noisy()
    resumed = fit(again, *parts, recipe, folder=tmp_path, resume=True)
    assert torch.equal(weights(again), weights(whole))
    assert resumed.epochs == curves.epochs
    finished, *parts = noisy()
    assert fit(finished, *parts, recipe, folder=tmp_path, resume=True).epochs == curves.epochs, (
        "read, not trained again"
    )
    assert torch.equal(weights(finished), weights(whole))


def test_resuming_needs_the_same_model_graphs_and_recipe(tmp_path):
    recipe = Recipe(epochs=2, batch_size=4)
    model, *parts = noisy()
    fit(model, *parts, recipe, folder=tmp_path)
    with pytest.raises(ValueError, match=r"weights before training was '\w+', is now '"):
        fit(model, *parts, recipe, folder=tmp_path, resume=True)
    model, *parts = noisy()
    with pytest.raises(ValueError, match="epochs was 2, is now 3"):
        fit(model, *parts, replace(recipe, epochs=3), folder=tmp_path, resume=True)
    with pytest.raises(ValueError, match=r"validation graphs was '5, sha256 \w+', is now '4, "):
        fit(model, parts[0], parts[1][:4], recipe, folder=tmp_path, resume=True)
    with pytest.raises(ValueError, match="resume needs the folder of the interrupted run, got folder=None"):
        fit(model, *parts, recipe, resume=True)


def test_rows_and_classes_can_be_weighted():
    out, y = torch.randn(4, 3), torch.tensor([0, 2, 1, -100])
    known = nn.functional.cross_entropy(out, y, reduction="none")
    weight = torch.tensor([1.0, 0.0, 3.0, 7.0])
    assert cross_entropy()(out, Data(y=y, weight=weight)).item() == pytest.approx(float(known @ weight / 4))
    classes = cross_entropy(class_weight=[1.0, 2.0, 0.0])(out, Data(y=y))
    assert classes.item() == pytest.approx(float((known[0] + 2 * known[2]) / 3))
    values = Data(y=torch.tensor([[1.0, math.nan], [2.0, 0.0]]), weight=torch.tensor([1.0, 3.0]))
    out = torch.zeros(2, 2, requires_grad=True)
    loss = squared_error(out, values)
    assert loss.item() == pytest.approx((1 + 3 * (4 + 0)) / (1 + 3 + 3))
    loss.backward()
    assert out.grad.isfinite().all()
    assert squared_error(torch.zeros(2, 2), Data(y=values.y)).item() == pytest.approx(5 / 3)
    assert squared_error(torch.ones(1), Data(y=torch.tensor([math.nan]))) == 0


def test_a_measure_named_score_can_be_monitored():
    recipe = replace(RECIPE, monitor="score", patience=5)
    curves = fit(make(), xor(), xor(), recipe, measures={"score": accuracy})
    assert curves.kept == max(
        range(3), key=lambda epoch: (curves.epochs[epoch]["val_score"], -curves.epochs[epoch]["val_loss"])
    )


def test_progress_is_shown_only_when_asked_for(capfd):
    fit(make(), xor(), xor(), RECIPE, verbose=True)
    assert "epoch 3 of 3: loss" in capfd.readouterr().err
