"""The corpus that molecule networks are pretrained on, and what comes of it."""
