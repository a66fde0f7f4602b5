"""From one sequence to another: questions about numbers are read on a full graph and answered on a causal one.

Papers: Vaswani et al. 2017 ("Attention Is All You Need"), Sutskever et al. 2014 (sequence to sequence), Wu et al. 2016 (GNMT:
beam search with a length penalty), Bahdanau et al. 2015 (the picture of who is heard across).

A question is a graph of letters that all hear each other, `Full`; an answer is a graph of letters of which each hears those
before, `Causal`; and all letters of the answer hear all of the question, `Cross`. Questions are of two kinds, mixed: which digit
of a number stands at a place ("hundreds of 71834?"), and sums and differences ("47-85="). Those tested are none of those trained
on. Answers are written greedily and by beam search; a beam of one is the same, token for token.

Picture: sequence_to_sequence.png, which letters of the question each letter of the answer hears: of a place, the one digit, which
the encoder has found.

    python examples/sequence_to_sequence.py [--fast] [--seed N] [--out DIR]
"""

import argparse
import json
from itertools import pairwise
from pathlib import Path

import torch
from matplotlib.figure import Figure

from graphattn.data.generated import Question, arithmetic, place_values
from graphattn.data.sequences import Symbols, characters, question
from graphattn.explain.attention import AttentionMap, attention_maps
from graphattn.explain.attention_drawing import draw_heat_map
from graphattn.models import Seq2Seq, TokenEmbedding, beam_search, greedy_search
from graphattn.training.craft import accuracy, exact_match
from graphattn.training.fitting import fit
from graphattn.training.recipe import Recipe

START, END = "<", ">"
LENGTH = 5
# Written before the runs: share of answers that are right in all letters; sums are a reference, without a bound.
BOUNDS = {"place value": "> 0.95"}


def divided(count: int, held_out: int) -> tuple[list[Question], dict[str, list[Question]], dict[str, list[Question]]]:
    """Questions to train on, and of each kind some for validation and test that are none of them."""
    train, validation, test = list[Question](), {}, {}
    for name, make in {"place value": place_values, "arithmetic": arithmetic}.items():
        drawn = make(count, seed=1)
        train += drawn
        fresh = sorted(set(make(4 * held_out, seed=2)) - set(drawn))
        order = torch.randperm(len(fresh), generator=torch.Generator().manual_seed(3)).tolist()
        chosen = [fresh[number] for number in order]
        validation[name], test[name] = chosen[:held_out], chosen[held_out : 2 * held_out]
    return train, validation, test


def right(answers: list[torch.Tensor], questions: list[Question], tokeniser: Symbols) -> float:
    """The share of answers that are those wanted, letter for letter."""
    pairs = zip(answers, questions, strict=True)
    return sum(tokeniser.decode(answer) == wanted.target for answer, wanted in pairs) / len(questions)


def draw(path: Path, model: Seq2Seq, shown: list[Question], tokeniser: Symbols) -> None:
    figure = Figure(figsize=(11, 1.1 + 1.3 * len(shown)), layout="constrained")
    rows = figure.subplots(len(shown), 1, height_ratios=[1 + len(each.target) for each in shown])
    for axes, asked in zip(rows, shown, strict=True):
        data = question(*(tokeniser.encode(text) for text in asked), tokeniser.number[START], tokeniser.number[END])
        maps = attention_maps(model, data)
        across: list[AttentionMap] = [each for each in maps if each.graph.senders is not each.graph.receivers]
        heard = torch.stack([each.matrix().mean(0) for each in across]).mean(0)
        answer = [f"{letter} asks for {after}" for letter, after in pairwise(START + asked.target + END)]
        image = draw_heat_map(heard, axes, answer, list(asked.source.replace(" ", "·")), most=0.7)
        axes.set(xlabel="", ylabel="")
    figure.colorbar(image, ax=rows, label="attention, mean of\nheads and layers", shrink=0.7)
    for axes in rows:
        axes.set_anchor("W")
    figure.suptitle("who in the question (columns) is heard by each letter of the answer (rows)", fontsize=11)
    figure.savefig(path, dpi=80)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--fast", action="store_true", help="a few questions, to see that all runs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(), help="folder of the picture")
    arguments = parser.parse_args()
    train, validation, test = divided(*((200, 20) if arguments.fast else (8000, 500)))
    tokeniser = characters([text for asked in train for text in asked], special=[START, END])
    start, end = (tokeniser.number[symbol] for symbol in (START, END))

    def graphs(questions: list[Question]) -> list:
        return [question(tokeniser.encode(q.source), tokeniser.encode(q.target), start, end) for q in questions]

    torch.manual_seed(arguments.seed)
    # ------------------------------------------------------------------------------------------------ the idea
    letters = TokenEmbedding(tokeniser.size, channels=64)
    model = Seq2Seq(letters, letters, heads=4, layers=2)
    recipe = Recipe(epochs=1 if arguments.fast else 16, batch_size=128, patience=6, seed=arguments.seed)
    checked = graphs(validation["place value"] + validation["arithmetic"])
    curves = fit(model, graphs(train), checked, recipe, measures={"letters": accuracy, "answers": exact_match})
    # ---------------------------------------------------------------------------------------------------------
    best = curves.epochs[curves.kept]
    print(
        f"validation: {best['val_letters']:.1%} of letters, {best['val_answers']:.1%} of answers; {curves.seconds:.0f} s"
    )
    figures: dict[str, float] = {}
    for name, questions in test.items():
        sources = [tokeniser.encode(asked.source) for asked in questions]
        greedy = greedy_search(model, sources, start, end, LENGTH)
        alone = beam_search(model, sources, start, end, LENGTH, size=1)
        assert all(map(torch.equal, greedy, alone)), "a beam of one is greedy, token for token"
        beam = beam_search(model, sources, start, end, LENGTH, size=4, penalty=0.6)
        figures |= {name: right(greedy, questions, tokeniser), f"{name}, beam": right(beam, questions, tokeniser)}
        print(f"{name}: {figures[name]:.1%} of {len(questions)} answers, beam of 4: {figures[f'{name}, beam']:.1%}")
        for asked, answer in list(zip(questions, beam, strict=True))[:3]:
            print(f"    {asked.source} {tokeniser.decode(answer)} (right: {asked.target})")
    met = figures["place value"] > 0.95
    print(f"place value, bound {BOUNDS['place value']}: {'reached' if met else 'not reached'}")

    path = arguments.out / "sequence_to_sequence.png"
    shown = [Question("tens of 71834?", "3"), Question("thousands of 71834?", "1"), Question("47-85=", "-38")]
    draw(path, model, shown, tokeniser)
    print(f"drawn: {path}")
    result = {"example": "sequence_to_sequence", "seed": arguments.seed, **figures, "bounds": BOUNDS, "reached": met}
    print("RESULT", json.dumps(result))


if __name__ == "__main__":
    main()
