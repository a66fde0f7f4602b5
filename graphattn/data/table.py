"""Files to rows."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray


@dataclass(frozen=True)
class MoleculeTable:
    """Rows as read (strings), and which columns mean what."""

    frame: pd.DataFrame
    line: NDArray[np.int64]
    smiles_column: str
    target_columns: tuple[str, ...]
    split_column: str | None
    notes: tuple[str, ...]
