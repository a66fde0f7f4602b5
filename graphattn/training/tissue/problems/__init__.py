"""What is learned of tissue: :class:`~graphattn.training.tissue.slides.Slides`, survival, classes of cells."""
