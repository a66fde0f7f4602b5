"""What holds for the package as a whole: imports, public names, sizes of files and functions."""

import ast
import importlib
import importlib.util
import json
import subprocess
import sys
import tomllib
from collections import Counter
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

import graphattn

PACKAGE = Path(graphattn.__file__).parent
ROOT = PACKAGE.parent
FILES = sorted(PACKAGE.rglob("*.py"))
TREES = {path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text()) for path in FILES}
HEAVY = {"rdkit", "sklearn", "lightning", "pytorch_lightning", "torchmetrics", "matplotlib", "typer"}
PUBLIC = {
    alias.name: node.module or ""
    for node in ast.parse((PACKAGE / "__init__.pyi").read_text()).body
    if isinstance(node, ast.ImportFrom)
    for alias in node.names
}
LAYERS = sorted(
    name
    for name, module in PUBLIC.items()
    if module in {"topology", "message", "score", "aggregation", "update", "layer", "zoo", "blocks", "backends"}
)
DOORS = tuple(f"graphattn{room}" for room in ("", ".data", ".training", ".explain", ".estimators", ".comparison"))


def loaded_after(code: str) -> set[str]:
    """Top-level modules that a fresh interpreter holds after running `code`."""
    command = f"import sys\n{code}\nimport json\nprint('\\n' + json.dumps(sorted(sys.modules)))"
    finished = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in json.loads(finished.stdout.splitlines()[-1])}


def test_importing_graphattn_imports_no_library():
    third_party = loaded_after("import graphattn; dir(graphattn); graphattn.__version__") - loaded_after("")
    assert third_party - sys.stdlib_module_names == {"graphattn", "lazy_loader"}


def test_layers_import_nothing_heavy_beyond_what_pyg_does():
    pyg = loaded_after("import torch_geometric.nn")
    ours = loaded_after(f"import torch_geometric.nn, graphattn\nfor name in {LAYERS}: getattr(graphattn, name)")
    assert "graphattn" in ours
    assert (ours - pyg) & HEAVY == set()


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_command_line_answers_without_torch(option):
    run = (
        f"from graphattn.cli import main\nsys.argv = ['graphattn', {option!r}]\n"
        "try: main()\nexcept SystemExit as end: assert not end.code"
    )
    loaded = loaded_after(run)
    assert "typer" in loaded
    assert loaded & {"torch", "torch_geometric", "rdkit", "sklearn", "lightning", "pandas", "matplotlib"} == set()


def test_public_names_are_those_of_the_stub():
    assert set(graphattn.__all__) == set(PUBLIC)
    assert len(PUBLIC) > 60


@pytest.mark.parametrize("door", DOORS)
def test_names_of_a_door_are_there_and_hide_no_module(door):
    module = importlib.import_module(door)
    assert module.__all__
    for name in module.__all__:
        assert getattr(module, name) is not None
        made_of_it = importlib.util.find_spec(f"{door}.{name}")
        assert made_of_it is None or getattr(module, name).__name__ == f"{door}.{name}"


@pytest.mark.parametrize("name", graphattn.__all__)
def test_public_name_resolves_and_is_documented(name):
    assert (getattr(graphattn, name).__doc__ or "").strip()
    assert name in dir(graphattn)


def test_unknown_name_says_what_there_is():
    with pytest.raises(AttributeError, match=r"no attribute 'GTN'; it has .*GCN.*SelfAttention"):
        _ = graphattn.GTN


def test_map_in_the_docstring_names_files_that_exist():
    words = [word.strip("`,;.") for word in graphattn.__doc__.split() if word.startswith("``")]
    named = {word for word in words if word.endswith(("/", ".py"))}
    assert len(named) > 8
    assert {name for name in named if not (PACKAGE / name).exists()} == set()


def test_citation_has_the_version_of_the_package():
    assert f"version: {graphattn.__version__}\n" in (ROOT / "CITATION.cff").read_text()


def test_every_imported_library_is_declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    # Triton comes with torch for CUDA, and with what developers need.
    declared = [
        *project["dependencies"],
        *(each for each in project["optional-dependencies"]["dev"] if "triton" in each),
        *(
            each
            for extra in ("selfies", "survival", "tables", "tissue")
            for each in project["optional-dependencies"][extra]
        ),  # each imported where it is needed, and named where it is missing
    ]
    imported = set()
    for path, tree in TREES.items():
        if path == "testing/swap.py":  # a plugin: pytest is what imports it
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.partition(".")[0])
    distribution = packages_distributions()
    libraries = {distribution[name][0].lower() for name in imported - sys.stdlib_module_names - {"graphattn"}}
    assert "torch" in libraries
    assert libraries - {requirement.partition(">=")[0] for requirement in declared} == set()


def test_lower_bounds_are_the_tested_versions():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    bounds = [
        *project["dependencies"],
        *(each for extra in project["optional-dependencies"].values() for each in extra if "graphattn[" not in each),
    ]
    tested = set((ROOT / "constraints.txt").read_text().splitlines())
    assert {bound for bound in bounds if bound.partition(";")[0].lower().replace(">=", "==") not in tested} == set()


def lines_of(path: str, function: ast.FunctionDef) -> int:
    documentation = function.body[0] if ast.get_docstring(function) is not None else None
    # The signature of a command is its table of options.
    first = function.body[0].lineno if path.startswith("cli/") else function.lineno
    lines = function.end_lineno - first + 1
    return lines - (documentation.end_lineno - documentation.lineno + 1 if documentation else 0)


def functions():
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield path, node


def where(path: str, node: ast.FunctionDef) -> str:
    return f"{path}:{node.lineno} {node.name}"


def test_files_have_at_most_400_lines():
    assert {path.name: n for path in FILES if (n := len(path.read_text().splitlines())) > 400} == {}


def test_functions_have_at_most_40_lines_and_forward_15():
    lines = {where(path, node): (node.name, lines_of(path, node)) for path, node in functions()}
    assert {place: n for place, (name, n) in lines.items() if n > (15 if name == "forward" else 40)} == {}


# What a classifier of scikit-learn takes in its constructor: its regressor's eight parameters and class_weight.
NINE = {"GraphClassifier", "MoleculeClassifier"}


def test_constructors_have_at_most_8_arguments():
    arguments = {
        (path, owner.name): len([*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]) - 1
        for path, tree in TREES.items()
        for owner in ast.walk(tree)
        if isinstance(owner, ast.ClassDef)
        for node in owner.body
        if isinstance(node, ast.FunctionDef) and node.name == "__init__"
    }
    assert arguments
    assert {place: n for place, n in arguments.items() if n > 8 + (place[1] in NINE)} == {}


def test_public_class_names_are_unique():
    found = Counter(
        node.name
        for tree in TREES.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert {name for name, times in found.items() if times > 1} == set()


def test_folders_have_at_most_15_modules_and_the_core_18():
    modules = Counter(path.parent.relative_to(PACKAGE).as_posix() for path in FILES if path.name != "__init__.py")
    most = dict.fromkeys(("topology", "score", "backends/numba"), 18)
    assert {room: n for room, n in modules.items() if n > most.get(room, 15)} == {}
