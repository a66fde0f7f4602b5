"""Where cells of a graph are, and files of cells written for a test."""


def places(graph):
    return (graph.origin + graph.pos.double()).numpy()


def written(tmp_path, text, name="cells.csv"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path
