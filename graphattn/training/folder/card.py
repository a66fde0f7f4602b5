"""The ``README.md`` of a model folder."""

from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path
from typing import Any

from graphattn.data.molecules.rdkit2d import own_columns
from graphattn.reports.numbers import mean_and_deviation
from graphattn.training.folder.checks import DESCRIPTION, Kind, kind_of, read_description
from graphattn.training.folder.choice import choice_sentences
from graphattn.training.folder.reliability import reliability_sentences

_MOST_COLUMNS = 3  # of models side by side; more stand one below the other


def card(described: Mapping[str, Any]) -> str:
    """Markdown from what ``FittedModel.describe`` returns: what is predicted, how well, how it was made and is used."""
    described = _escaped(described)
    task, recipe = described["task"], described["recipe"]
    predicts = f"Predicts **{', '.join(task['names'])}** ({task['kind']}{_classes(task)}) from SMILES."
    lines = [
        f"# Molecule {'regression' if task['kind'] == 'regression' else 'classification'} model",
        "",
        f"{predicts} Made by graphattn {described['versions']['graphattn']}.",
        "",
        *_interrupted(described),
        *_figures(described),
        *_folds(described),
        *_curves(described),
        *_choice(described),
        "## How far to rely on it",
        "",
        *(f"- {sentence}" for sentence in reliability_sentences(described)),
        "",
        "## How it was made",
        "",
        *_models(described),
        f"- Training: {_pairs(recipe)}.",
        *_start(described),
        *_data(described),
        f"- Descriptors: {_descriptors(described)}.",
        f"- Versions: {_pairs(described['versions'])}.",
        "",
        "## Use",
        "",
        "```",
        "graphattn predict THIS_FOLDER molecules.csv --out predictions.csv",
        "graphattn explain THIS_FOLDER SMILES --out drawings",
        "```",
        "",
        *_caveats(described),
    ]
    return "\n".join(lines) + "\n"


def graph_card(described: Mapping[str, Any]) -> str:
    """Markdown from what ``FittedNetwork.save`` describes: what is predicted, by which network, how it is used."""
    described = _escaped(described)
    layer, topology = described["cell"]
    classes, of = described.get("classes"), "each graph" if described["level"] == "graph" else "each node"
    predicts = f"a class: {', '.join(map(str, classes))}" if classes else f"{described['outputs']} value(s)"
    lines = [
        f"# Graph {'classification' if classes else 'regression'} model",
        "",
        f"Predicts, of {of}, {predicts}. Made by graphattn {described['versions']['graphattn']}.",
        "",
        *_interrupted(described),
        *_figures(described, "images", "patients"),
        *_curves(described),
        "## How it was made",
        "",
        f"- Network: {_ensemble(described)}{layer} on {topology}, {_pairs(described['size'])}.",
        *([f"- Loss: {described['loss']}{_survival(described)}."] if "loss" in described else []),
        f"- Parameters of the estimator: {_pairs(described.get('parameters', {}))}.",
        *_data(described),
        *_tissue(described),
        f"- Versions: {_pairs(described['versions'])}.",
        "",
        "## Use",
        "",
        *_commands(described),
        "```python",
        "import graphattn",
        "",
        f"model = graphattn.Graph{'Classifier' if classes else 'Regressor'}.load(THIS_FOLDER)",
        "model.predict(graphs)",
        "```",
    ]
    return "\n".join(lines) + "\n"


def pretrained_card(described: Mapping[str, Any]) -> str:
    """Markdown from what ``PretrainedNetwork.save`` describes: what was learned, from what, how well."""
    described = _escaped(described)
    data, figures = described["data"], described["figures"]
    names = ", ".join(f"{name} ({number:,} SMILES)" for name, number in data["files"].items())
    rest = f"{data['held']:,} held out, {data['rejected']:,} rows set aside, {data['excluded']:,} molecules excluded"
    count, share = len(described["descriptors"]["names"]), 100 * figures["explained"]
    explained = f"the scores of {count} RDKit-2D descriptors are explained to {share:.1f} %"
    lines = [
        "# Pretrained molecule network",
        "",
        f"Knows descriptors, fragments and hidden atoms of molecules. Made by graphattn {described['versions']['graphattn']}.",
        "",
        "## How it was made",
        "",
        f"- Network: {_pairs(described['architecture'])}; {described['parameters']:,} weights without heads.",
        f"- Pretraining: {_pairs(described['recipe'])}.",
        f"- Data: {names}; {data['molecules']:,} molecules learned from, {rest}.",
        f"- Started from: {described['start'] or 'nothing'}.",
        *(f"- {note}" for note in described.get("notes", [])),
        f"- Figures: of {figures['validated']:,} molecules that it has not seen, {explained}.",
        f"- Time: {figures['seconds']:,} s, {figures['rate']:,.0f} molecules a second.",
        f"- Versions: {_pairs(described['versions'])}.",
        "",
        "## Use",
        "",
        "```",
        "graphattn train molecules.csv --from THIS_FOLDER --out model",
        "```",
    ]
    return "\n".join(lines) + "\n"


_CARDS: dict[Kind, Callable[[Mapping[str, Any]], str]] = {
    "molecules": card,
    "graphs": graph_card,
    "pretrained": pretrained_card,
}


def card_of(folder: Path) -> str:
    """The card of the model in a folder, whatever its kind, made anew from what its ``model.json`` says.

    Raises:
        ValueError: as ``read_description``; values that none of this version's models has.
    """
    kind = kind_of(folder)
    described = read_description(folder, kind)
    try:
        return _CARDS[kind](described)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"{folder / DESCRIPTION} is damaged: {type(error).__name__} {error}") from error


def _ensemble(described: Mapping[str, Any]) -> str:
    number = len(described.get("training", ()))
    return f"ensemble of {number} members, each " if number > 1 else ""


def _survival(described: Mapping[str, Any]) -> str:
    columns = described.get("survival")
    return f" of the columns {columns[0]} and {columns[1]}; a higher risk is an earlier event" if columns else ""


def _tissue(described: Mapping[str, Any]) -> list[str]:
    """What graphs of tissue have to consist of."""
    if not (form := described.get("tissue")):
        return []
    names = {name: ", ".join(form[name]) or "none" for name in ("features", "types", "edges")}
    mpp = f" of {'-'.join(dict.fromkeys(f'{each:g}' for each in form['mpp']))} um per pixel" if form["mpp"] else ""
    return [
        f"- Reads: measurements {names['features']}; types of cells {names['types']}; of edges {names['edges']}.",
        f"- Graphs: positions in {form['unit'] or 'no known unit'}{mpp}, edges by {form['builder'] or 'no known builder'}.",
    ]


def _commands(described: Mapping[str, Any]) -> list[str]:
    if "tissue" not in described:
        return []
    commands = [
        "tissue predict THIS_FOLDER GRAPHS --out predictions.csv",
        "tissue explain THIS_FOLDER GRAPHS --out explained",
    ]
    return ["```", *(f"graphattn {command}" for command in commands), "```", ""]


# Entities and not backslashes: these stay what they are in a text in quotes.
_MARKDOWN = {ord(sign): f"&#{ord(sign)};" for sign in "[]*`|!"}


def _escaped(value: Any) -> Any:
    """Names of columns and classes are texts, whatever they look like: no HTML, link, picture, emphasis or cell of a table."""
    if isinstance(value, str):
        return escape(value, quote=False).translate(_MARKDOWN).replace("://", "&#58;//")
    if isinstance(value, Mapping):
        return {_escaped(key): _escaped(item) for key, item in value.items()}
    return [_escaped(item) for item in value] if isinstance(value, list | tuple) else value


def _classes(task: Mapping[str, Any]) -> str:
    if task["kind"] == "regression":
        return ""
    if task["kind"] == "binary":
        return f"; positive class {task['classes'][1]!r}, negative {task['classes'][0]!r}"
    return f"; classes {', '.join(map(repr, task['classes']))}"


def _interrupted(described: Mapping[str, Any]) -> list[str]:
    if not described.get("interrupted"):
        return []
    return ["**Training was interrupted**: these are the best weights up to then. `--resume` goes on.", ""]


def _figures(described: Mapping[str, Any], samples: str = "molecules", drawn: str = "") -> list[str]:
    metrics, split = described.get("metrics"), described.get("split")
    if not metrics or not split:
        return []
    columns = list(metrics)
    if len(columns) > _MOST_COLUMNS:
        metrics = {name: {column: metrics[column].get(name) for column in columns} for name in metrics[columns[0]]}
        columns = list(metrics)
    rows = [
        f"| {name} | " + " | ".join(_cell(metrics[column].get(name)) for column in columns) + " |"
        for name in metrics[columns[0]]
    ]
    title = f"## Figures on the test part ({split['test']:,} {samples}, split: {split['rule']}, seed {split['seed']})"
    head = ["| | " + " | ".join(columns) + " |", "|---|" + "---|" * len(columns)]
    return [
        title,
        "",
        *head,
        *rows,
        "",
        f"In brackets: 95 % bootstrap interval over the {drawn or f'test {samples}'}.",
        "",
    ]


def _folds(described: Mapping[str, Any]) -> list[str]:
    """Means over the folds of a cross-validation, if there was one."""
    if not (known := described.get("folds")):
        return []
    models, seed = known["figures"], described["split"]["seed"]
    rows = [
        f"| {measure} | " + " | ".join(mean_and_deviation(each[measure]) for each in models.values()) + " |"
        for measure in next(iter(models.values()))
    ]
    return [
        f"## Cross-validation ({len(known['tested'])} folds, split: {known['rule']}, seed {seed})",
        "",
        "| | " + " | ".join(models) + " |",
        "|---|" + "---|" * len(models),
        *rows,
        "",
        "Mean and standard deviation over the folds, each tested on a model of its own; this model is not one of them. "
        + known.get("compared", ""),
        "",
    ]


def _curves(described: Mapping[str, Any]) -> list[str]:
    return [f"![Learning curves]({described['curves_drawn']})", ""] if described.get("curves_drawn") else []


def _cell(figure: Mapping[str, Any] | None) -> str:
    if figure is None or figure["value"] is None or figure["value"] != figure["value"]:
        return "undefined"
    base = f", base rate {figure['base']:.3f}" if figure.get("base") is not None else ""
    return f"{figure['value']:.3f} [{figure['low']:.3f}, {figure['high']:.3f}]{base}"


def _data(described: Mapping[str, Any]) -> list[str]:
    data, split = described.get("data"), described.get("split")
    lines = [f"- Data: {_pairs(data)}."] if data else []
    if split:
        parts = ", ".join(f"{split[part]:,} {part}" for part in ("train", "validation", "test"))
        lines.append(f"- Split: {split['rule']}, seed {split['seed']}: {parts}.")
    return lines


def _start(described: Mapping[str, Any]) -> list[str]:
    if not (start := described.get("start")):
        return []
    how = "which stayed as they were" if start["frozen"] else "all of which were trained"
    return [f"- Started from: the weights of {start['name']} (sha256 {start['sha256']}), {how}."]


def _choice(described: Mapping[str, Any]) -> list[str]:
    said = choice_sentences(described)
    return ["## How it was chosen", "", *(f"- {sentence}" for sentence in said), ""] if said else []


def _models(described: Mapping[str, Any]) -> list[str]:
    """The networks and the forest that it consists of."""
    lines, forest = [], described.get("forest")
    if described["architecture"]:
        lines.append(f"- Network: {_pairs(described['architecture'])}; {described['parameters']:,} weights.")
    if forest:
        of = f"{forest['trees']:,} trees for each target, {forest['leaf']} or more molecules in a leaf"
        reads = f"{forest['inputs']:,} columns: counts of ECFP4 and RDKit-2D descriptors"
        lines.append(f"- Forest: {forest['name']}, {of}, of {reads}; its share in predictions is {forest['share']:g}.")
    return lines


def _descriptors(described: Mapping[str, Any]) -> str:
    known = described["descriptors"]
    if not known:
        return "none"
    own = own_columns(known["names"])
    count = len(known["names"]) - len(own)
    said = [f"{count} RDKit-2D descriptors"] * bool(count) + [f"columns of the table: {', '.join(own)}"] * bool(own)
    return f"{'; '.join(said)} (at the readout)" if own else f"{said[0]} at the readout"


def _caveats(described: Mapping[str, Any]) -> list[str]:
    task, recipe = described["task"], described["recipe"]
    lines = ["Predictions for molecules unlike the training data are guesses, however certain they look."]
    if task["kind"] != "regression" and recipe["balance"]:
        lines.append(
            "In training, rare classes counted more (`balance`), so probabilities lean towards what equally frequent "
            "classes would give: a rank of molecules, and a class at 0.5, rather than an expected frequency."
        )
    if any((described.get("reliability") or {}).get("calibrations", ())):
        lines.append("The columns `calibrated_...` of predictions are meant as frequencies.")
    return lines


def _pairs(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())
