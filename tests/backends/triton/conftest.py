"""Files that need a process of their own are collected where they are named, by ../test_cuda.py, and not on the way."""

collect_ignore = ["flexible.py", "for_hopper.py", "on_edges.py", "on_small_graphs.py"]
