"""Labels of images from a table: image, patient, y."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path, PureWindowsPath

from torch_geometric.data import Data

from graphattn.data.columns import pick
from graphattn.data.labels import key_of
from graphattn.data.reading import read_records
from graphattn.data.tissue.cells import SetAside, Tissue, with_labels
from graphattn.data.tissue.numbers import IMAGES, MISSING, PATIENTS, plain_header
from graphattn.data.wording import listed

_LABELS = ("y", "label", "labels", "class", "target", "outcome", "diagnosis", "grade", "status", "response")
_SUFFIXES = re.compile(
    r"(?:\.(?:ome|tiff?|svs|ndpi|mrxs|czi|scn|qptiff|png|jpe?g|geojson|json|csv|tsv|gz|h5ad|h5|im3|vsi|bif|dcm))+$"
)


def label_images(
    graphs: Sequence[Data],
    labels: str | Path,
    *,
    image: str | None = None,
    label: str | None = None,
    patient: str | None = None,
    mixed_patients: bool = False,
    keep: Sequence[str] = (),
) -> Tissue:
    """Graphs with the labels and patients of a table, one row an image; those without a label are set aside.

    Names of images match exactly, or else without case, folder and suffix; never by a part of the name. A name that reaches two
    images, two rows that reach one image with different values, and patients whose images have different labels are set aside.

    Args:
        graphs: of :func:`read`, each with its ``image``.
        labels: a table (CSV, TSV) with columns of images and labels, and of patients.
        image: column of images, by its name if not given.
        label: column of labels.
        patient: column of patients; without one patients are those of the graphs, or each image is a patient of its own.
        mixed_patients: whether a patient's images may have different labels.
        keep: further columns, whose cells graphs then have by name as ``label_columns``, such as that of a split.

    Raises:
        FileNotFoundError: there is no such table.
        ValueError: it is no table, or lacks a column.
    """
    path = Path(labels)
    records = read_records(path)
    columns = dict(zip(records.columns, zip(*records.cells, strict=True), strict=True))
    names = _columns(columns, {"image": image, "y": label, "patient": patient}, path)
    kept_columns = [pick(columns, name, path) for name in keep]
    notes = [f"{path.name}: {note}" for note in records.notes]
    notes.append(f"{path.name}: " + ", ".join(f"{what} from {name!r}" for what, name in names.items() if name))
    set_aside = [SetAside(path.name, f"line {records.lines[row]}", why) for row, why in records.faults.items()]
    whole = [row for row in range(len(records.lines)) if row not in records.faults]
    columns = {name: [cells[row] for row in whole] for name, cells in columns.items()}
    rows = _rows(columns, names, kept_columns, [records.lines[row] for row in whole], path, set_aside)
    matched = _match([str(graph["image"]) for graph in graphs], rows, path, set_aside)
    notes += _patients(graphs, matched, path)
    if not mixed_patients:
        set_aside += _drop_mixed(graphs, matched, path)
    kept = []
    for at, graph in enumerate(graphs):
        if at in matched:
            kept.append((graph, matched[at]))
        elif not any(f"image {graph['image']!r}" == each.place for each in set_aside):
            set_aside.append(SetAside(path.name, f"image {graph['image']!r}", "it has no label"))
    labelled = with_labels([graph for graph, _ in kept], [row.label for _, row in kept])
    for graph, (_, row) in zip(labelled, kept, strict=True):
        graph.patient = row.patient or str(graph["image"])
        if kept_columns:
            graph.label_columns = row.kept
    return Tissue(labelled, set_aside, notes)


def _patients(graphs: Sequence[Data], matched: dict[int, _Row], path: Path) -> list[str]:
    """Rows without a patient get that of their graph; a note about images that have none."""
    for at, row in matched.items():
        row.patient = row.patient or str(graphs[at].get("patient") or "")
    alone = [row.image for row in matched.values() if not row.patient]
    if not alone:
        return []
    what = f"{path.name} has no column of patients" if len(alone) == len(matched) else f"no patient of {listed(alone)}"
    return [f"{what}: each image is a patient of its own, so images of one patient may fall on both sides of a split"]


class _Row:
    """A row of the table: its line, the image it names, and what it says of it."""

    def __init__(self, line: int, image: str, label: str, patient: str, kept: dict[str, str]) -> None:
        self.line, self.image, self.label, self.patient, self.kept = line, image, label, patient, kept

    @property
    def says(self) -> tuple[str, ...]:
        return key_of(self.label), self.patient, *self.kept.values()


def _columns(
    columns: Mapping[str, Sequence[str]], given: Mapping[str, str | None], path: Path
) -> dict[str, str | None]:
    plain = {name: plain_header(name).name for name in columns}
    found: dict[str, str | None] = {}
    for what, words in (("image", IMAGES), ("patient", PATIENTS), ("y", _LABELS)):
        wanted = given[what]
        free = {name: header for name, header in plain.items() if name not in found.values()}
        found[what] = (
            pick(columns, wanted, path)
            if wanted
            else next((name for word in words for name in free if free[name] == word), None)
        )
    for what in ("image", "y"):
        if found[what] is None:
            option = {"image": "image=", "y": "label= (--target)"}[what]
            raise ValueError(f"{path} has no column {what!r}; it has {listed(columns)}: name it with {option}")
    return found


def _rows(
    columns: Mapping[str, Sequence[str]],
    names: Mapping[str, str | None],
    kept: Sequence[str],
    lines: Sequence[int],
    path: Path,
    set_aside: list[SetAside],
) -> list[_Row]:
    rows = []
    cells = [columns[name] if name else [""] * len(lines) for name in (names["image"], names["y"], names["patient"])]
    for at, (line, image, label, patient) in enumerate(zip(lines, *cells, strict=True)):
        if not image.strip():
            set_aside.append(SetAside(path.name, f"line {line}", "it names no image"))
        elif label.strip().lower() in MISSING | {"inf", "-inf"}:
            reason = f"it has no label for image {image.strip()!r}" + (
                f", but {label.strip()!r}" if label.strip() else ""
            )
            set_aside.append(SetAside(path.name, f"line {line}", reason))
        else:
            patient = "" if patient.strip().lower() in MISSING else patient.strip()
            more = {name: columns[name][at].strip() for name in kept}
            rows.append(_Row(line, image.strip(), label.strip(), patient, more))
    return rows


def stem(name: str) -> str:
    r"""Name of an image without case, folder and suffixes.

    >>> stem("C:\\scans\\P02_a.OME.TIF"), stem("P02_a.ndpi")
    ('p02_a', 'p02_a')
    """
    return _SUFFIXES.sub("", (PureWindowsPath(name).name or name).lower())


def _match(images: Sequence[str], rows: Sequence[_Row], path: Path, set_aside: list[SetAside]) -> dict[int, _Row]:
    """The row of each image that has one: an exact name first, else the only one of its stem."""
    exact: dict[str, list[int]] = defaultdict(list)
    loose: dict[str, list[int]] = defaultdict(list)
    for at, name in enumerate(images):
        exact[name].append(at)
        loose[stem(name)].append(at)
    reached: dict[int, list[_Row]] = defaultdict(list)
    for row in rows:
        found = exact.get(row.image) or loose.get(stem(row.image)) or []
        if len(found) > 1:
            set_aside.append(
                SetAside(
                    path.name,
                    f"line {row.line}",
                    f"{row.image!r} is the name of {len(found)} images: {listed(images[at] for at in found)}",
                )
            )
        elif found:
            reached[found[0]].append(row)
        else:
            set_aside.append(SetAside(path.name, f"line {row.line}", f"there is no image {row.image!r}"))
    matched = {}
    for at, several in reached.items():
        of_exact = [row for row in several if row.image == images[at]] or several
        if len({row.says for row in of_exact}) > 1:
            written = "; ".join(
                f"line {row.line}, {row.image!r}: y {row.label!r}, patient {row.patient!r}" for row in of_exact
            )
            set_aside.append(
                SetAside(path.name, f"image {images[at]!r}", f"its rows contradict each other ({written})")
            )
        else:
            matched[at] = of_exact[0]
            others = [row for row in several if row.says != of_exact[0].says]
            why = f"line {of_exact[0].line} names image {images[at]!r} exactly, and says something else"
            set_aside += [SetAside(path.name, f"line {row.line}", why) for row in others]
    return matched


def of_mixed_patients(
    images: Sequence[str], patients: Sequence[str], labels: Sequence[str], source: str
) -> tuple[list[int], list[SetAside]]:
    """Positions of the images whose patient has images of different labels, and why they are set aside.

    Args:
        images: names.
        patients: of each image; ``""`` where none is known.
        labels: of each image, as written.
        source: what holds the labels, for messages.

    >>> rows, why = of_mixed_patients(["a", "b", "c"], ["P1", "P1", "P2"], ["ill", "well", "ill"], "labels.csv")
    >>> rows, str(why[0])
    ([0, 1], "labels.csv, patient 'P1': its images have different labels: 'ill' and 'well'; mixed_patients=True keeps them")
    """
    several: dict[str, list[int]] = defaultdict(list)
    for at, patient in enumerate(patients):
        several[patient].append(at)
    rows, set_aside = list[int](), list[SetAside]()
    for patient, ours in several.items():
        different = {labels[at] for at in ours}
        if not patient or len({key_of(label) for label in different}) < 2:
            continue
        reason = f"its images have different labels: {listed(sorted(different))}; mixed_patients=True keeps them"
        set_aside.append(SetAside(source, f"patient {patient!r}", reason))
        set_aside += [SetAside(source, f"image {images[at]!r}", f"it is of patient {patient!r}") for at in ours]
        rows += ours
    return sorted(rows), set_aside


def _drop_mixed(graphs: Sequence[Data], matched: dict[int, _Row], path: Path) -> list[SetAside]:
    """Takes the images of patients with different labels out of those that have a row."""
    places, rows = list(matched), list(matched.values())
    names = [str(graphs[at]["image"]) for at in places]
    mixed, why = of_mixed_patients(names, [row.patient for row in rows], [row.label for row in rows], path.name)
    for at in mixed:
        del matched[places[at]]
    return why
