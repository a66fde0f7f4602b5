"""What a model looked at: attention maps and what they amount to, contributions of atoms, and drawings of both."""
