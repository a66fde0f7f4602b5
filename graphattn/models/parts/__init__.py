"""Parts of networks: embeddings, positions, pairs of nodes, trunks and readouts."""
