"""Lists of edges: which layers are computed from edges grouped by their ends, and how."""
