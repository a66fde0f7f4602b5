"""What a model looked at: attention maps and what they amount to, contributions of atoms, and drawings of both."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
