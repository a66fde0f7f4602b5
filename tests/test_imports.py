"""Which folder may import which: every arrow between them, runtime imports and those inside functions alike, and no circle.

Imports for type checkers alone are apart: no program follows them.
"""

import ast
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# From the bottom up: what may import what stands above it. A name is a folder or a file of graphattn/ with all that is in it,
# but for what has a line of its own. A new folder, an arrow that is not here, and one here that is gone fail.
MAY_IMPORT = {
    "graphattn": "",  # the version; public names are resolved when they are asked for
    "counts": "",
    "traced": "",
    "slots": "",
    "reset": "",
    "dropout": "",
    "files": "",
    "stopping": "",
    "json_lines": "files",
    "backends.numba.usable": "",
    "backends.numba.compiling": "",
    "backends.numba.checksum": "backends.numba.compiling",
    "lasting": "backends.numba.checksum backends.numba.usable",
    "backends.layout": "traced",
    "topology": "backends.layout counts lasting slots traced",
    "score": "reset slots topology",
    "encoding": "reset topology",
    "edge_terms": "encoding lasting reset slots topology traced",
    "message": "counts edge_terms lasting reset score slots topology",
    "aggregation": "slots",
    "update": "reset",
    "binding": "lasting slots topology traced",
    "backends": "aggregation backends.layout backends.numba.compiling backends.numba.usable dropout edge_terms lasting message "
    "score slots topology traced",
    "layer": "backends binding dropout slots topology",
    "zoo": "aggregation counts edge_terms layer message score slots topology update",
    "blocks": "edge_terms layer message reset slots topology zoo",
    "pyg": "aggregation backends binding dropout edge_terms lasting layer message score slots topology update",
    "convert": "aggregation blocks layer message pyg slots topology update zoo",
    "testing": "backends layer pyg slots topology",
    "data": "encoding files topology",
    "models": "aggregation blocks data edge_terms encoding layer message reset slots topology update zoo",
    "environment": "backends data graphattn",
    "reports": "",
    "training": "data environment files graphattn models reports topology",
    "explain": "data layer models topology training",
    "memory": "",
    "bench": "aggregation backends backends.numba.compiling backends.numba.usable data edge_terms environment json_lines layer "
    "memory message models pyg slots topology update zoo",
    "comparison": "data encoding environment explain files json_lines layer memory models reports slots topology training",
    "reports.molecules": "data explain files models reports training",
    "reports.tissue": "data environment explain files reports reports.molecules training",
    "estimators": "data models training",
    "cli": "bench comparison data environment explain files graphattn reports.molecules reports.tissue stopping training",
}

DOORS = {
    "topology": "explain",  # Topology.draw, which imports what draws when it is called
}
"""The arrows that point down the table, and would be circles if there were more of them: each is one import of one file."""


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in sorted((ROOT / "graphattn").rglob("*.py"))}


def room_of(module: str) -> str:
    """The line of the table that a module belongs to: the longest name that it begins with."""
    parts = module.split(".")[1:]
    names = [".".join(parts[:end]) for end in range(len(parts), 0, -1)]
    return next((name for name in names if name in MAY_IMPORT), parts[0] if parts else "graphattn")


def for_type_checkers(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)


def imports(tree: ast.AST) -> list[str]:
    """The modules of graphattn that a file imports, anywhere."""
    found = []
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "graphattn":
            full = [f"{node.module}.{name.name}" for name in node.names]
            found += [name if name in MODULES else node.module for name in full]
        elif isinstance(node, ast.Import):
            found += [name.name for name in node.names if name.name.split(".")[0] == "graphattn"]
        elif not for_type_checkers(node):
            found += imports(node)
    return found


def arrows() -> dict[str, dict[str, list[str]]]:
    """For each room the rooms that it imports, with the modules that do."""
    found = {room_of(module): {} for module in MODULES}
    for module, path in MODULES.items():
        for imported in imports(ast.parse(path.read_text(encoding="utf-8"))):
            if room_of(imported) != room_of(module):
                found[room_of(module)].setdefault(room_of(imported), []).append(module)
    return found


FOUND = arrows()


@pytest.mark.parametrize("room", sorted(FOUND))
def test_a_room_imports_what_the_table_says(room):
    assert room in MAY_IMPORT, f"graphattn/{room} is new: say in MAY_IMPORT what it may import"
    stated, found = {*MAY_IMPORT[room].split(), *DOORS.get(room, "").split()}, set(FOUND[room])
    added = {name: FOUND[room][name] for name in found - stated}
    assert not added, f"{room} may not import {added}"
    assert not stated - found, f"{room} imports {stated - found} no longer"


def test_arrows_point_up_the_table_so_that_there_is_no_circle():
    place = {name: at for at, name in enumerate(MAY_IMPORT)}
    assert set(MAY_IMPORT) == set(FOUND), "a line of the table names no folder or file"
    for room, stated in MAY_IMPORT.items():
        assert all(place[name] < place[room] for name in stated.split()), f"{room} imports what stands below it"


@pytest.mark.parametrize("room", DOORS)
def test_a_door_is_one_import(room):
    for name in DOORS[room].split():
        assert len(FOUND[room][name]) == 1, f"{room} -> {name}: {FOUND[room][name]}"


@pytest.mark.parametrize("folder", ["benchmarks", "examples", "tests"])
def test_names_imported_from_the_package_are_there(folder):
    """Also in programs that no test imports, since they run in processes of their own."""
    names = {
        f"{node.module}:{name.name}"
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "graphattn"
        for name in node.names
    }
    assert [name for name in sorted(names) if not _is_there(*name.split(":"))] == []


def _is_there(module: str, name: str) -> bool:
    return f"{module}.{name}" in MODULES or hasattr(importlib.import_module(module), name)
