"""Options that several commands share: one wording each."""

from pathlib import Path
from typing import Annotated

import typer

DATA = "CSV, TSV, SDF, Parquet or Excel file (also .gz), - for standard input, or an embedded set: bbb, solubility."
PROBLEM = f"{DATA[:-1]}, a folder of saved graphs, digits, sparse_and, motif, distant, shuffled_edges."
KINDS = "binary, multiclass, multilabel or regression; inferred if not given."
RULES = "scaffold_balanced, scaffold, random, stratified, or a column of parts, folds, years or groups."
AIMS = "mcc, sensitivity@specificity=0.9 or cost=FP:FN"
LAYERS = "attention, edge_attention, gcn, gat, gatv2, gin, sage, edgeconv, mlp"
MODELS = "slide_graph, gland_graph, tissue_transformer, attention_mil"
PRECISIONS = "32-true, 16-mixed, bf16-mixed, 16-true, bf16-true, 64-true"
SEVERAL = "Target column; may be repeated; inferred if not given."

Data = Annotated[str, typer.Argument(metavar="DATA", help=DATA)]
Model = Annotated[Path, typer.Argument(metavar="MODEL", help="Model folder written by 'graphattn train'.")]
Smiles = Annotated[str | None, typer.Option(help="SMILES column; inferred if not given.")]
Targets = Annotated[list[str] | None, typer.Option("--target", help=SEVERAL)]
Kind = Annotated[str | None, typer.Option(help=KINDS)]
Rule = Annotated[str | None, typer.Option(help=RULES)]
Seed = Annotated[int, typer.Option(help="Random seed.")]
Epochs = Annotated[int | None, typer.Option(help="Maximum number of epochs.")]
Ensemble = Annotated[int | None, typer.Option(help="Number of ensemble members; their predictions are averaged.")]
Accelerator = Annotated[str, typer.Option(help="Lightning accelerator: auto, cpu, gpu, cuda, mps, tpu.")]
Devices = Annotated[str, typer.Option(help="One device: 1, or the index of a GPU in brackets, as [1].")]
Precision = Annotated[str, typer.Option(help=f"Lightning precision: {PRECISIONS}.")]
Resume = Annotated[bool, typer.Option("--resume", help="Resume the interrupted training in --out.")]
Strict = Annotated[bool, typer.Option("--strict", help="Stop at unusable rows instead of setting them aside.")]
Fragment = Annotated[bool, typer.Option("--largest-fragment", help="Keep the largest fragment of salts and mixtures.")]
Most = Annotated[int | None, typer.Option(min=1, help="Maximum number of atoms of a molecule; 1000 if not given.")]
Formulas = Annotated[
    bool, typer.Option("--escape-formulas", help="Write an apostrophe before cells that a spreadsheet would compute.")
]
Descriptors = Annotated[bool, typer.Option(help="Read RDKit's 2D descriptors beside the graph.")]
Columns = Annotated[
    list[str] | None, typer.Option("--descriptor", help="Column of numbers to read beside the graph; may be repeated.")
]
Baselines = Annotated[bool, typer.Option(help="Compare with random forests on the same split.")]
Trust = Annotated[bool, typer.Option("--trust", help="Load a model whose files were changed after saving.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the Python traceback of an error.")]
