"""How a batch is laid out in memory for kernels and products: tiles of graphs alike, bands of windows, edges by their ends."""
