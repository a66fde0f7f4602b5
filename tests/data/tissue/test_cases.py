"""Small files of each format, of invented values: what is kept and set aside as ``cases/EXPECTED.csv`` says, and where it is."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch

from graphattn.data import tissue
from tests.data.tissue.made import places

CASES = Path(__file__).parent / "cases"
TABLE = (CASES / "EXPECTED.csv").read_text(encoding="utf-8").splitlines()
ROWS = [row for row in csv.DictReader(TABLE) if row["format"] != "labels"]
OPTIONS = {"image_key": "image", "type": "cell_type"}


def options(call):
    """The keywords of a call that the table names; what stands behind a blank is a remark."""
    pairs = (part.strip().split(" ")[0].split("=") for part in call.split(",") if "=" in part)
    return {OPTIONS.get(name, name): float(value) if name == "mpp" else value.strip("'") for name, value in pairs}


def survey(name, **given):
    (row,) = (row for row in ROWS if row["file"].rstrip("/") == name)
    return tissue.survey(CASES / name, **(options(row["call"]) | given))


def one(name, **given):
    (graph,) = survey(name, **given).graphs
    return graph


def types(graph):
    return [graph.cell_type_names[at] if at >= 0 else None for at in graph.cell_type.tolist()]


@pytest.mark.parametrize("row", [row for row in ROWS if row["cells_kept"] != "0"], ids=lambda row: row["file"])
def test_cells_are_kept_or_set_aside_as_the_table_says(row):
    found = tissue.survey(CASES / row["file"], **options(row["call"]))
    kept = sum(graph.num_nodes for graph in found.graphs)
    assert (kept, len(found.set_aside)) == (int(row["cells_kept"]), int(row["cells_set_aside"]))
    assert str(len(found.graphs)) == row["images"].split(" ")[0]
    for graph in found.graphs:
        assert (graph.pos.dtype, graph.origin.dtype) == (torch.float32, torch.float64)
        assert len(set(graph.node_id)) == graph.num_nodes == len(graph.pos)
        assert graph.pos.isfinite().all()
        assert graph.validate()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("qp05_truncated.geojson", "no complete JSON: Expecting ',' delimiter at character 4,000 of 4,000"),
        ("qp05_empty_collection.geojson", "no objects in file"),
        ("qp05_annotations_only.geojson", "no cells, only 2 annotation; in QuPath, export all objects"),
        ("labels_empty.tif", "all background"),
        ("labels_3d_zyx.tif", r"\(4, 48, 64\) is that of a stack; project it, or give one plane"),
        ("labels_rgb_overlay.png", r"\(32, 32, 3\) is that of a colour picture"),
        ("img1_seg.npy", r"a pickle of Cellpose, which is not opened; export label images, \*_cp_masks.tif"),
        ("adata_no_spatial.h5ad", "obsm has 'X_umap', obs has 'leiden'"),
        ("trident_empty_slide.h5", "no tissue was found on this slide"),
    ],
)
def test_files_without_cells_are_refused_in_words_and_set_aside_beside_others(name, words):
    with pytest.raises(ValueError, match=words):
        tissue.survey(CASES / name)
    found = tissue.survey([CASES / name, CASES / "cohort_cells.csv"])
    assert [Path(each.file).name for each in found.set_aside] == [name]
    assert len(found.graphs) == 8


PLACES = [
    ("qp05_cells_clean.geojson", 0, (10.815, 15.3525)),
    ("qp05_table_clean.tsv", 0, (40.58, 60.37)),
    ("qp02_table_latin1_crlf.txt", 0, (43.04, 62.32)),
    ("qp_table_mojibake.csv", 0, (43.06, 57.73)),
    ("qp_table_um_ascii.csv", 0, (43.98, 56.36)),
    ("qp_table_r_names.csv", 0, (36.97, 62.74)),
    ("qp_table_px.csv", 0, (21.925, 29.275)),
    ("qp_table_decimal_comma_bom.csv", 0, (41.63, 62.93)),
    ("qp_table_tab_decimal_comma.tsv", 0, (38.27, 57.09)),
    ("qp_table_excel_utf16.txt", 0, (39.28, 60.64)),
    ("qp_table_quoted_decimal_comma.csv", 0, (37.7, 61.29)),
    ("hovernet_tile_mag_null.json", 0, (237.46 / 4, 57.9 / 4)),
    ("cellvit_cells.json", 0, (769.191, 15.867)),
    ("cellvitpp_cell_detection.geojson", 0, (42.46 / 4, 57.35 / 4)),
    ("tiatoolbox_v101_zlib.db", 2, (73.56 / 2, 59.27 / 2)),
    ("labels_gaps_uint16.tif", 0, (6.0, 10.0)),
    ("labels_one_object.png", 0, (15.0, 7.5)),
    ("labels_touching_3x3.npz", 4, (14.5, 14.5)),
    ("adata_steinbock_export.h5ad", 0, (539.16, 62.71)),
    ("adata_steinbock_yx_swapped.h5ad", 0, (539.16, 62.71)),
    ("clam_features.h5", 0, (320.0, 576.0)),
    ("trident_features.h5", 0, (128.0, 128.0)),
    ("xenium_cells.csv", 0, (514.4, 236.78)),
    ("inform_cell_seg_data.txt", 0, (21.0, 30.0)),
    ("halo_object_data.csv", 0, (21.75, 30.25)),
    ("S0_metadata_file.csv", 0, (1207.611, -5766.584)),
    ("merscope_cell_metadata.csv", 0, (-321.07, 152.81)),
    ("steinbock", 0, (137.96, 61.41)),
    ("geom_negative.csv", 0, (-901.54, -17.91)),
]


@pytest.mark.parametrize(("name", "cell", "place"), PLACES, ids=[name for name, _, _ in PLACES])
def test_positions_are_in_micrometres(name, cell, place):
    graph = survey(name).graphs[0]
    assert graph.unit == "um"
    np.testing.assert_allclose(places(graph)[cell], place, atol=6e-4)


def test_objects_of_qupath():
    clean = one("qp05_cells_clean.geojson")
    assert clean.node_id[0] == "e04de422-840e-4d48-8585-5d2a728d2401"
    assert len(clean.feature_names) == 4
    assert sorted(map(types(clean).count, clean.cell_type_names)) == [6, 6, 6, 6]
    assert one("qp05_cells.geojson.gz").image == "qp05_cells"
    mixed = one("qp04_hierarchy_mixed.geojson")
    assert types(mixed)[1] == "Tumor: Ki67+"
    assert [at for at in range(10) if types(mixed)[at] is None] == [0, 3, 6, 9]
    assert mixed.parent[:10] == ["ROI 1"] * 10
    assert mixed.parent[10:] == [""] * 6
    listed = one("qp03_array_measurement_list.geojson")
    assert int(listed.x.isnan().sum()) == 1
    old = one("qp02_id_is_class.json")
    assert (types(old).count("Tumor"), types(old).count("Tumor: Positive")) == (5, 5)
    gaps = one("qp05_nan_measurements.geojson")
    circularity = gaps.feature_names.index("Nucleus: Circularity")
    assert gaps.x[7].isfinite().all()
    assert gaps.x[:7, circularity].isnan().all()
    assert gaps.x[5].isnan().all()


def test_the_nucleus_is_the_position_on_request():
    cell, nucleus = (survey("qp05_cells_clean.geojson", position=what).graphs[0] for what in ("cell", "nucleus"))
    np.testing.assert_allclose(places(cell), places(nucleus), atol=1e-3)  # in these files both have one centre


def test_tables_of_qupath_have_three_measurements_and_their_own_ids():
    for name in ("qp05_table_clean.tsv", "qp_table_r_names.csv", "qp_table_decimal_comma_bom.csv", "qp_table_px.csv"):
        assert len(one(name).feature_names) == 3, name
    assert int(one("qp_table_decimal_comma_bom.csv").x.isnan().sum()) == 2
    assert one("qp05_table_clean.tsv").node_id[0] == "56ed8730-b04c-4189-aa27-762c9ad329e0"
    pixels = one("qp_table_px.csv", mpp=None)
    assert pixels.unit == "px"
    assert np.isnan(pixels.mpp)


def test_nuclei_and_their_types():
    tile = one("hovernet_tile_mag_null.json")
    assert tile.node_id[0] == "1"
    assert "cell_type" not in tile
    slide = one("hovernet_wsi_mag40.json")
    assert set(slide.cell_type_names) <= {"1", "2", "3", "4", "5"}
    assert types(slide)[0] is None
    cellvit = one("cellvitpp_cells.geojson")
    assert (types(cellvit).count("Neoplastic"), types(cellvit).count("Inflammatory")) == (9, 6)
    assert types(one("cellvit_cells.json"))[:2] == ["Neoplastic", "Inflammatory"]


def test_label_images():
    gaps = one("labels_gaps_uint16.tif")
    assert gaps.node_id == ["1", "2", "5", "9", "12", "40", "41", "77", "255", "256", "300", "1000", "4000", "65535"]
    touching = one("labels_touching_3x3.npz")
    assert tissue.contact(touching).num_edges == 2 * 12
    assert tissue.contact(touching, corners=True).num_edges == 2 * 20
    alone = one("labels_one_object.png")
    for build in (tissue.knn, tissue.delaunay, tissue.contact, tissue.grid):
        assert build(alone).num_edges == 0
    assert any("1 object has several parts: '1'" in note for note in survey("labels_two_parts.tif").notes)
    assert any("floats, all of them whole" in note for note in survey("labels_float32.npy").notes)


def test_annotated_data():
    both = survey("adata_two_libraries.h5ad")
    assert sum(graph.num_edges for graph in both.graphs) == 120
    assert both.graphs[0].cell_type_names == ["B cell", "T cell"]
    assert sum(types(graph).count(None) for graph in both.graphs) == 10
    guessed = tissue.survey(CASES / "adata_two_libraries.h5ad")
    assert [graph.image for graph in guessed.graphs] == ["libA", "libB"]
    assert any("as uns says" in note for note in guessed.notes)
    flat = survey("adata_spatial_3d_nan.h5ad")
    assert [each.place for each in flat.set_aside] == ["cell_4"]
    assert any("z was left out" in note for note in flat.notes)
    swapped = survey("adata_steinbock_yx_swapped.h5ad")
    assert any("x and y were exchanged" in note for note in swapped.notes)
    assert "cell_id" not in swapped.graphs[0].feature_names


def test_patches_lie_on_grids():
    for name, sides, corners in (("clam_features.h5", 31, 55), ("trident_features.h5", 27, 47)):
        graph = one(name)
        assert tissue.grid(graph).num_edges == 2 * sides
        assert tissue.grid(graph, diagonal=True).num_edges == 2 * corners
    assert one("trident_features.h5").image == "S1"


def test_tables_of_other_programs():
    assert one("xenium_cells.csv").feature_names[0] == "transcript_counts"
    assert not any("control" in name for name in one("xenium_cells.csv").feature_names)
    assert one("xenium_cells_bytes_id.parquet").node_id[0] == "aaaaaabb-1"
    fields = survey("inform_cell_seg_data.txt").graphs
    assert fields[0].num_nodes == 8
    assert sum(types(graph).count(None) for graph in fields) == 5
    exemplar = one("exemplar-001--unmicst_cell.csv")
    assert (exemplar.image, exemplar.node_id[:3], exemplar.node_id[-1]) == ("exemplar-001", ["2", "3", "5"], "90")
    assert {graph.image for graph in survey("halo_object_data.csv").graphs} == {"S12 3.ndpi", "S13.ndpi"}
    merscope = one("merscope_cell_metadata.csv")
    assert merscope.node_id[0] == "1234567890123456700"
    assert merscope.feature_names == ["volume", "DAPI_raw"]
    plain = survey("plain_two_images.csv").graphs
    assert [graph.class_names[int(graph.y)] for graph in plain] == ["ctrl", "case"]


def test_steinbock_joins_on_the_object():
    first, second = survey("steinbock").graphs
    assert (first.num_nodes, second.num_nodes) == (10, 6)
    assert first.feature_names == second.feature_names
    assert first.num_edges > 0
    assert int(first.edge_index.max()) < 10


def test_positions_that_are_not_finite():
    found = survey("geom_nonfinite.csv")
    assert found.graphs[0].node_id == ["c0", "c1", "c5", "c7", "c9", "c10"]
    assert [each.place for each in found.set_aside] == [f"line {line}" for line in (4, 5, 6, 8, 10)]
    assert int(found.graphs[0].x.isnan().sum()) == 2
