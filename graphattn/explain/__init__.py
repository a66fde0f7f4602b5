"""What a model looked at: contributions of atoms, and drawings of them."""
