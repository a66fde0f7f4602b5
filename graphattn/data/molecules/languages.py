"""Texts that name molecules in other languages than SMILES: InChI, read by RDKit, and SELFIES, read by the library selfies."""

import re
from collections.abc import Callable
from importlib.util import find_spec

from rdkit import Chem

INSTALL = "pip install 'graphattn[selfies]'"


def is_selfies(text: str) -> bool:
    """Whether a text is SELFIES, all of whose symbols are in brackets; RDKit reads some of them as radicals.

    >>> is_selfies("[C][C][O]"), is_selfies("[C][=Branch1]"), is_selfies("[Na+].[Cl-]"), is_selfies("[Fe][Fe]")
    (True, True, False, False)
    """
    if not re.fullmatch(r"(\[[^\[\]]+\]){2,}", text):
        return False
    symbols = re.findall(r"\[([^\[\]]+)\]", text)
    plain = "C" in symbols and set(symbols) <= {"B", "C", "N", "O", "P", "S", "F", "Cl", "Br", "I"}
    return plain or any(re.match(r"[=#/\\]?(Branch|Ring)\d|[=#][A-Z]", symbol) for symbol in symbols)


def reads_selfies() -> bool:
    """Whether the library that decodes SELFIES is installed."""
    return find_spec("selfies") is not None


def reader(text: str) -> Callable[[str], Chem.Mol | None]:
    """What makes the molecule of a text, or None where it cannot: by the language that the text is in."""
    if text.startswith("InChI="):
        return Chem.MolFromInchi
    return _from_selfies if is_selfies(text) else Chem.MolFromSmiles


def selfies_problem(text: str) -> str:
    """Why SELFIES are no molecule here: the library is missing, or refuses them."""
    if not reads_selfies():
        return f"SELFIES, not SMILES, and selfies, which converts them, is not installed: {INSTALL}"
    symbol = next((each for each in re.findall(r"\[[^\]]*\]", text) if _decoded(each) is None), None)
    return "SELFIES that selfies cannot convert" + (f": {symbol} is no symbol of it" if symbol else "")


def _from_selfies(text: str) -> Chem.Mol | None:
    smiles = _decoded(text) if reads_selfies() else None
    return Chem.MolFromSmiles(smiles) if smiles else None


def _decoded(text: str) -> str | None:
    import selfies

    try:
        return str(selfies.decoder(text))
    except selfies.DecoderError:
        return None
