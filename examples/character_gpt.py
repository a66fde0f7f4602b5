"""A GPT learns a nursery rhyme, letter by letter: a transformer on a causal graph, to which each new letter is a node that joins.

Papers: Vaswani et al. 2017 ("Attention Is All You Need"), Radford et al. 2018 ("Improving Language Understanding by Generative
Pre-Training"), Holtzman et al. 2020 (nucleus sampling), Press et al. 2022 (ALiBi, which serves texts longer than those learned).

The text is made by chance in the way of "The House That Jack Built" (traditional): "this is the dog that worried the cat." As the
rule is known, so is the least loss that any model can reach, the entropy of a letter. What the model writes is read by the rule.

A KV cache is a graph that grows: the new letter hears those before it, and none of them has to hear again. So the time for a
letter stays flat, where the time to hear everything anew grows; what is written is the same.

Picture: character_gpt.png, the loss beside the entropy, the time for a letter, and whom one letter hears.

    python examples/character_gpt.py [--fast] [--seed N] [--out DIR]
"""

import argparse
import json
import math
import random
import re
import time
from pathlib import Path

import torch
from matplotlib.figure import Figure

from graphattn.data.sequences import characters, sequence, stretches
from graphattn.explain.attention import attention_maps
from graphattn.explain.attention_drawing import draw_arcs
from graphattn.models import Anew, Decoder, Joining, Nucleus, Sample, TokenEmbedding, TopK, alibi, generate, likeliest
from graphattn.training.craft import accuracy
from graphattn.training.fitting import fit
from graphattn.training.recipe import Recipe
from graphattn.training.runs import Curves

NOUNS = ["house", "malt", "rat", "cat", "dog", "cow", "maiden", "man", "priest", "cock", "farmer", "horse"]
VERBS = ["lay in", "ate", "killed", "worried", "tossed", "milked", "kissed", "married", "woke", "kept"]
RULE = re.compile(rf"this is the ({'|'.join(NOUNS)})( that ({'|'.join(VERBS)}) the ({'|'.join(NOUNS)})){{1,4}}\.")
LENGTH = 128
# The least time for one of the last quarter of letters over that for one of the first: flat, and growing.
BOUNDS = {"joined (KV cache), last over first": "< 1.5", "all heard anew, last over first": "> 2"}


def rhyme(sentences: int, seed: int) -> tuple[str, float]:
    """A text, and its entropy in nats for a letter: the logarithm of all that was chosen, over its length."""
    dice, text, chosen = random.Random(seed), "", 0.0
    for _ in range(sentences):
        links = dice.randint(1, 4)
        text += f"this is the {dice.choice(NOUNS)}"
        text += "".join(f" that {dice.choice(VERBS)} the {dice.choice(NOUNS)}" for _ in range(links)) + ". "
        chosen += math.log(4) + (links + 1) * math.log(len(NOUNS)) + links * math.log(len(VERBS))
    return text, chosen / len(text)


def sentences_by_the_rule(text: str) -> str:
    """How many whole sentences the rule could have made; the likeliest letters may never end one, as each link is likelier."""
    whole = [sentence.strip() + "." for sentence in text.split(".")[:-1]]
    right = sum(RULE.fullmatch(sentence) is not None for sentence in whole)
    return f"{right} of {len(whole)} sentences by the rule"


def seconds_for_a_letter(writer: Joining | Anew, prompt: torch.Tensor, letters: int) -> tuple[list[float], list[int]]:
    """The time that each new letter takes, and the letters."""
    new, seconds, written = [prompt], [], []
    with torch.no_grad():
        for _ in range(letters):
            start = time.perf_counter()
            new = [likeliest(writer(new))]
            seconds.append(time.perf_counter() - start)
            written.append(int(new[0]))
    return seconds, written


def draw(path: Path, curves: Curves, entropy: float, times: dict[str, list], heard: torch.Tensor, text: str) -> None:
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    loss, clock, arcs = figure.subplots(1, 3, width_ratios=(1, 1, 1.5))
    for name, label in (("loss", "training"), ("val_loss", "validation")):
        loss.plot(curves.column("step"), curves.column(name), label=label)
    loss.axhline(entropy, color="0.4", linestyle="--", label="entropy of the text")
    loss.set(xlabel="step", ylabel="nats for a letter", title="loss", ylim=(0, None))
    for name, seconds in times.items():
        # The least of neighbours: other programs only ever add time.
        least = torch.tensor(seconds).unfold(0, 8, 8).amin(1) * 1e3
        clock.plot(torch.arange(len(least)) * 8, least, label=name)
    clock.set(xlabel="letters written", ylabel="milliseconds for a letter", title="a new node joins", ylim=(0, None))
    draw_arcs(heard, arcs, list(text.replace(" ", "·")), receiver=len(text) - 1, least=0.02)
    arcs.set_title("whom the last letter hears (one head)")
    loss.legend(fontsize=8)
    clock.legend(fontsize=8)
    figure.savefig(path, dpi=90)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--fast", action="store_true", help="a few steps, to see that all runs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(), help="folder of the picture")
    arguments = parser.parse_args()
    text, entropy = rhyme(60 if arguments.fast else 2000, seed=1)
    held_out, _ = rhyme(20 if arguments.fast else 150, seed=2)
    tokeniser = characters([text])
    torch.manual_seed(arguments.seed)
    # ------------------------------------------------------------------------------------------------ the idea
    model = Decoder(TokenEmbedding(tokeniser.size, channels=64), heads=4, layers=2, positional=alibi())
    parts = [stretches(tokeniser.encode(each), LENGTH) for each in (text, held_out)]
    for data in parts[1]:
        data.y[: LENGTH // 2] = -100  # asked only where enough was heard before
    recipe = Recipe(epochs=2 if arguments.fast else 15, batch_size=32, seed=arguments.seed)
    curves = fit(model, *parts, recipe, measures={"accuracy": accuracy})
    prompt = tokeniser.encode("this is ")
    ways = {
        "likeliest": likeliest,
        "temperature 0.5": Sample(temperature=0.5, seed=arguments.seed),
        "temperature 1": Sample(seed=arguments.seed),
        "top 5 of them": Sample(keep=TopK(5), seed=arguments.seed),
        "nucleus of 0.9": Sample(keep=Nucleus(0.9), seed=arguments.seed),
    }
    most = 100 if arguments.fast else 600
    written = {name: generate(model, [prompt], most, choose)[0] for name, choose in ways.items()}
    # ---------------------------------------------------------------------------------------------------------
    print(f"nats for a letter: {curves.epochs[-1]['val_loss']:.3f}, entropy {entropy:.3f}; {curves.seconds:.0f} s")
    for name, tokens in written.items():
        story = tokeniser.decode(tokens)
        print(f"{name:16} {sentences_by_the_rule(story)}: {story[:70]}...")

    letters = 48 if arguments.fast else 768
    timed = {
        "joined (KV cache)": seconds_for_a_letter(Joining(model), prompt, letters),
        "all heard anew": seconds_for_a_letter(Anew(model), prompt, letters),
    }
    first, second = (text for _, text in timed.values())
    assert first == second, "what is written with the cache is what is written without"
    figures = {"nats above the entropy": curves.epochs[-1]["val_loss"] - entropy}
    for name, (seconds, _) in timed.items():
        early, late = min(seconds[8 : letters // 4]), min(seconds[-letters // 4 :])  # long enough that others pause
        figures[f"{name}, last over first"] = late / early
        print(f"{name:18} {early * 1e3:5.2f} ms for a letter at first, {late * 1e3:5.2f} ms after {letters} letters")

    start = "this is the man that kissed"
    maps = attention_maps(model, sequence(tokeniser.encode(start)))
    heard = max((head for each in maps for head in each.matrix()), key=lambda head: float(head[-1, :-1].max()))
    path = arguments.out / "character_gpt.png"
    draw(path, curves, entropy, {name: seconds for name, (seconds, _) in timed.items()}, heard, start)
    print(f"drawn: {path}")
    print("RESULT", json.dumps({"example": "character_gpt", "seed": arguments.seed, **figures, "bounds": BOUNDS}))


if __name__ == "__main__":
    main()
