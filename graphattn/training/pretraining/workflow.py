"""From files of SMILES to a pretrained network in a folder; ``say`` receives what a person should read."""

import dataclasses
import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import track

from graphattn.data.molecules.chemistry import Chemistry, parse, read
from graphattn.data.molecules.embedded import open_table
from graphattn.data.molecules.prepare import Rejected, summary, write_rejected
from graphattn.data.molecules.rdkit2d import DESCRIPTOR_NAMES
from graphattn.data.molecules.smiles import UnreadableError
from graphattn.training.batches import BatchData, by_size
from graphattn.training.folder.checks import CHECKPOINTS, check_folder, writing
from graphattn.training.module import LearningModule
from graphattn.training.pretraining.network import PretrainingNetwork, PretrainingTally, hide, loss
from graphattn.training.pretraining.saved import PretrainedNetwork, load
from graphattn.training.pretraining.shards import SHARD, ShardBatches, ShardMolecules, Shards
from graphattn.training.pretraining.targets import connectivity
from graphattn.training.recipe import Architecture, Hardware, MoleculeRecipe
from graphattn.training.runs import Curves, Interrupted, TrainingRun, clear, digest, seeded
from graphattn.training.telling import Say, check_hardware

_SHARDS = "shards"
_SCORE = "R2 of descriptors"
_MOST_VALIDATED = 1024
ARCHITECTURE = Architecture(channels=128, heads=8, layers=4, totals=128)
"""Of a network to be pretrained: larger than that of a training from nothing, as there is more to learn from."""
RECIPE = MoleculeRecipe(
    learning_rate=2e-3, warmup=0.02, weight_decay=0.01, patience=None, average=0.999, monitor="loss", epochs=1
)
"""How a network is pretrained; ``epochs`` follow from the plan's ``passes``, one for each file of molecules."""


@dataclass(frozen=True)
class PretrainingPlan:
    """What ``pretrain`` does.

    Attributes:
        out: folder of the model.
        passes: how often each molecule is learned from.
        most: maximum number of SMILES, drawn at random; all if None.
        smiles: column of SMILES; inferred if None.
        exclude: files or embedded sets whose molecules are left out, by the first block of the InChIKey.
        start: folder of a pretrained network to go on from, whose architecture is then taken.
        shard: maximum number of SMILES in a file, each of which is an epoch.
    """

    out: Path
    passes: int = 5
    most: int | None = None
    smiles: str | None = None
    exclude: tuple[str, ...] = ()
    start: Path | None = None
    architecture: Architecture = ARCHITECTURE
    recipe: MoleculeRecipe = RECIPE
    hardware: Hardware = field(default_factory=Hardware)
    chemistry: Chemistry = field(default_factory=Chemistry)
    resume: bool = False
    shard: int = SHARD


class Corpus(NamedTuple):
    """SMILES, the file and the line of each, and how many the files of each name have."""

    texts: list[str]
    places: list[tuple[str, int]]
    sizes: dict[str, int]


def pretrain(sources: Sequence[str], plan: PretrainingPlan, say: Say, verbose: bool = True) -> PretrainedNetwork:
    """Pretrains a network on the molecules of ``sources``, tests it on some it has not seen, and saves all in ``plan.out``.

    Raises:
        ValueError: a folder that is taken or not writable; files without SMILES; a start that cannot be used; nothing to resume.
        Interrupted: Ctrl-C or SIGTERM; the same with ``resume`` goes on.
    """
    check_folder(plan.out, plan.resume)
    check_hardware(plan.hardware)
    start = load(plan.start) if plan.start is not None else None
    corpus = gathered(sources, plan, say)
    excluded = excluded_keys(plan.exclude, plan.chemistry, say)
    with writing(plan.out, plan.resume):
        files = _shards(corpus, excluded, plan, start)
        recipe = _recipe(plan, files)
        run = TrainingRun(plan.out, plan.hardware, title="pretraining" if verbose else "", score=_SCORE)
        run.prepare(_settings(plan, recipe, corpus, excluded, start), plan.resume)
        network = _network(recipe, plan, start)
        data = _written(files, corpus, plan, say, verbose)
        module, batches = _prepared(files, recipe, network)
        curves, interrupted = run.member(module, batches)
        if interrupted:
            say(f"Interrupted. The same command with --resume goes on with the pretraining in {plan.out}.")
            raise Interrupted(module.kept)
        record = {
            "data": data,
            "start": start and str(plan.start),
            **_figures(curves, data, plan, sum(map(len, batches.checked))),
        }
        assert isinstance(module.kept, PretrainingNetwork)
        made = PretrainedNetwork(
            module.kept.cpu().eval(), _architecture(plan, start), recipe, files.standardiser(), record
        )
        made.save(plan.out)
        clear(plan.out)
    figures = made.record["figures"]
    say(
        f"pretrained on {data['molecules']:,} molecules, {figures['rate']:,.0f} a second; of {figures['validated']:,} others "
        f"the descriptors' scores are explained to {100 * figures['explained']:.1f} %"
    )
    return made


def gathered(sources: Sequence[str], plan: PretrainingPlan, say: Say) -> Corpus:
    """The SMILES of all files, each text once, in a random order; at most ``plan.most`` of them.

    Raises as :func:`~graphattn.data.molecules.embedded.open_table`, and ``ValueError`` for fewer than 20 SMILES.
    """
    found, sizes = dict[str, tuple[str, int]](), dict[str, int]()
    for source in sources:
        table = open_table(source, smiles=plan.smiles, targets=())
        for note in table.notes:
            say(f"{source}: {note}")
        before = len(found)
        for text, line in zip(table.smiles, table.line.tolist(), strict=True):
            found.setdefault(text, (source, line))
        new = len(found) - before
        sizes[Path(source).name] = sizes.get(Path(source).name, 0) + new
        say(f"{source}: {len(table.frame):,} rows, {new:,} SMILES that are new")
    if len(found) < 20:
        raise ValueError(f"expected 20 or more different SMILES to learn from, got {len(found)}")
    texts = sorted(found)
    order = np.random.default_rng(plan.recipe.seed).permutation(len(texts))[: plan.most].tolist()
    chosen = [texts[i] for i in order]
    return Corpus(chosen, [found[text] for text in chosen], sizes)


def excluded_keys(sources: Sequence[str], chemistry: Chemistry, say: Say) -> frozenset[str]:
    """First blocks of the InChIKeys of all molecules in files; rows that cannot be read exclude nothing.

    Raises as :func:`~graphattn.data.molecules.embedded.open_table`.
    """
    keys = set[str]()
    for source in sources:
        before, unreadable = len(keys), 0
        table = open_table(source, targets=())
        for note in table.notes:
            say(f"{source}: {note}")
        for text in table.smiles:
            try:
                keys.add(connectivity(parse(text, chemistry)))
            except UnreadableError:
                unreadable += 1
        if unreadable:
            say(f"{source}: {unreadable:,} rows cannot be read and exclude nothing")
        say(f"{source}: {len(keys) - before:,} molecules are left out of pretraining")
    return frozenset(keys - {""})


def _shards(corpus: Corpus, excluded: frozenset[str], plan: PretrainingPlan, start: PretrainedNetwork | None) -> Shards:
    statistics = start.standardiser if start is not None else None
    # Few molecules are cut into several files as well, of which one is for validation.
    size = min(plan.shard, -(-len(corpus.texts) // 8))
    return Shards(plan.out / CHECKPOINTS / _SHARDS, corpus.texts, excluded, plan.chemistry, statistics, size)


def _recipe(plan: PretrainingPlan, files: Shards) -> MoleculeRecipe:
    return dataclasses.replace(plan.recipe, epochs=plan.passes * (len(files) - 1))


def _architecture(plan: PretrainingPlan, start: PretrainedNetwork | None) -> dict[str, Any]:
    return plan.architecture.to_dict() if start is None else dict(start.architecture)


def _settings(
    plan: PretrainingPlan,
    recipe: MoleculeRecipe,
    corpus: Corpus,
    excluded: frozenset[str],
    start: PretrainedNetwork | None,
) -> dict[str, Any]:
    found = {"SMILES": corpus.texts, "excluded molecules": sorted(excluded)}
    return {
        "architecture": _architecture(plan, start),
        "chemistry": dataclasses.asdict(plan.chemistry),
        "start": None if start is None else digest(start.network.state_dict().values()),
        "SMILES in a file": plan.shard,
        **dataclasses.asdict(recipe),
        **{name: f"{len(texts)}, sha256 {_digest(texts)}" for name, texts in found.items()},
    }


def _digest(texts: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]


def _written(files: Shards, corpus: Corpus, plan: PretrainingPlan, say: Say, verbose: bool) -> dict[str, Any]:
    """Describes all molecules; lists the rows that cannot be read in ``rejected.csv``. How many there are of each.

    "molecules" are those that are learned from: the first file is not.
    """
    began, console = time.perf_counter(), Console(stderr=True)
    found = list(track(files.write(), "describing", len(files), console=console, disable=not verbose))
    rejected = [_rejected(corpus, position, plan.chemistry) for became in found for position in became.unreadable]
    if rejected:
        write_rejected(rejected, plan.out / "rejected.csv")
        say(f"{len(rejected):,} rows set aside: {summary(rejected)}; they are listed in {plan.out / 'rejected.csv'}")
    molecules, excluded = [became.molecules for became in found], sum(became.excluded for became in found)
    seconds = time.perf_counter() - began
    say(f"described {sum(molecules):,} molecules in {seconds:,.0f} s; {excluded:,} others are excluded")
    learned, held = sum(molecules[1:]), molecules[0]
    return {"files": corpus.sizes, "molecules": learned, "held": held, "rejected": len(rejected), "excluded": excluded}


def _rejected(corpus: Corpus, position: int, chemistry: Chemistry) -> Rejected:
    source, line = corpus.places[position]
    reason = next(iter(read([corpus.texts[position]], chemistry).problems.values())).reason
    return Rejected(line, f"{reason} ({source})", corpus.texts[position], position)


def _network(recipe: MoleculeRecipe, plan: PretrainingPlan, start: PretrainedNetwork | None) -> PretrainingNetwork:
    """The network to train; sizes that do not fit are refused here, before hours of describing."""
    if start is not None:
        return start.network.train()
    with seeded((recipe.seed, 0)):
        return PretrainingNetwork(_architecture(plan, start), len(DESCRIPTOR_NAMES))


def _prepared(files: Shards, recipe: MoleculeRecipe, network: PretrainingNetwork) -> tuple[LearningModule, BatchData]:
    """The first file is for validation."""
    molecules, held = ShardMolecules(files), ShardMolecules(files)
    order = ShardBatches(molecules, range(1, len(files)), recipe.batch_size, recipe.seed)
    validated = by_size(held.of(0).nodes.numpy()[:_MOST_VALIDATED], 4 * recipe.batch_size)
    module = LearningModule(network, loss, recipe, PretrainingTally, partial(hide, share=recipe.atom_mask))
    return module, BatchData(molecules, order, held, validated)


def _figures(curves: Curves, data: dict[str, Any], plan: PretrainingPlan, validated: int) -> dict[str, Any]:
    last, read = curves.epochs[-1], data["molecules"] * plan.passes
    figures = {
        "explained": last["val_score"],
        "loss": last["val_loss"],
        "validated": validated,
        "seconds": round(curves.seconds),
        "rate": read / curves.seconds,
    }
    return {"figures": figures, "curves": [curves.epochs]}
