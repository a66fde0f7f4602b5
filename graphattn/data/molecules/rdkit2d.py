"""RDKit's two-dimensional descriptors: weight, charges, surface areas, counts of groups.

Their names are fixed here, so that a saved model finds the same columns whatever RDKit is installed. ``Ipc`` and ``AvgIpc``
are left out: one reaches 1e25, and both are slow.
"""

import math
from collections.abc import Sequence
from functools import partial
from typing import cast

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from rdkit import Chem, rdBase
from rdkit.Chem import Descriptors

_NAMES = """
    MaxAbsEStateIndex MaxEStateIndex MinAbsEStateIndex MinEStateIndex qed SPS MolWt HeavyAtomMolWt ExactMolWt
    NumValenceElectrons NumRadicalElectrons MaxPartialCharge MinPartialCharge MaxAbsPartialCharge
    MinAbsPartialCharge FpDensityMorgan1 FpDensityMorgan2 FpDensityMorgan3 BCUT2D_MWHI BCUT2D_MWLOW BCUT2D_CHGHI
    BCUT2D_CHGLO BCUT2D_LOGPHI BCUT2D_LOGPLOW BCUT2D_MRHI BCUT2D_MRLOW BalabanJ BertzCT Chi0 Chi0n Chi0v Chi1 Chi1n
    Chi1v Chi2n Chi2v Chi3n Chi3v Chi4n Chi4v HallKierAlpha Kappa1 Kappa2 Kappa3 LabuteASA PEOE_VSA1 PEOE_VSA10
    PEOE_VSA11 PEOE_VSA12 PEOE_VSA13 PEOE_VSA14 PEOE_VSA2 PEOE_VSA3 PEOE_VSA4 PEOE_VSA5 PEOE_VSA6 PEOE_VSA7
    PEOE_VSA8 PEOE_VSA9 SMR_VSA1 SMR_VSA10 SMR_VSA2 SMR_VSA3 SMR_VSA4 SMR_VSA5 SMR_VSA6 SMR_VSA7 SMR_VSA8 SMR_VSA9
    SlogP_VSA1 SlogP_VSA10 SlogP_VSA11 SlogP_VSA12 SlogP_VSA2 SlogP_VSA3 SlogP_VSA4 SlogP_VSA5 SlogP_VSA6 SlogP_VSA7
    SlogP_VSA8 SlogP_VSA9 TPSA EState_VSA1 EState_VSA10 EState_VSA11 EState_VSA2 EState_VSA3 EState_VSA4 EState_VSA5
    EState_VSA6 EState_VSA7 EState_VSA8 EState_VSA9 VSA_EState1 VSA_EState10 VSA_EState2 VSA_EState3 VSA_EState4
    VSA_EState5 VSA_EState6 VSA_EState7 VSA_EState8 VSA_EState9 FractionCSP3 HeavyAtomCount NHOHCount NOCount
    NumAliphaticCarbocycles NumAliphaticHeterocycles NumAliphaticRings NumAmideBonds NumAromaticCarbocycles
    NumAromaticHeterocycles NumAromaticRings NumAtomStereoCenters NumBridgeheadAtoms NumHAcceptors NumHDonors
    NumHeteroatoms NumHeterocycles NumRotatableBonds NumSaturatedCarbocycles NumSaturatedHeterocycles
    NumSaturatedRings NumSpiroAtoms NumUnspecifiedAtomStereoCenters Phi RingCount MolLogP MolMR fr_Al_COO fr_Al_OH
    fr_Al_OH_noTert fr_ArN fr_Ar_COO fr_Ar_N fr_Ar_NH fr_Ar_OH fr_COO fr_COO2 fr_C_O fr_C_O_noCOO fr_C_S fr_HOCCN
    fr_Imine fr_NH0 fr_NH1 fr_NH2 fr_N_O fr_Ndealkylation1 fr_Ndealkylation2 fr_Nhpyrrole fr_SH fr_aldehyde
    fr_alkyl_carbamate fr_alkyl_halide fr_allylic_oxid fr_amide fr_amidine fr_aniline fr_aryl_methyl fr_azide fr_azo
    fr_barbitur fr_benzene fr_benzodiazepine fr_bicyclic fr_diazo fr_dihydropyridine fr_epoxide fr_ester fr_ether
    fr_furan fr_guanido fr_halogen fr_hdrzine fr_hdrzone fr_imidazole fr_imide fr_isocyan fr_isothiocyan fr_ketone
    fr_ketone_Topliss fr_lactam fr_lactone fr_methoxy fr_morpholine fr_nitrile fr_nitro fr_nitro_arom
    fr_nitro_arom_nonortho fr_nitroso fr_oxazole fr_oxime fr_para_hydroxylation fr_phenol fr_phenol_noOrthoHbond
    fr_phos_acid fr_phos_ester fr_piperdine fr_piperzine fr_priamide fr_prisulfonamd fr_pyridine fr_quatN fr_sulfide
    fr_sulfonamd fr_sulfone fr_term_acetylene fr_tetrazole fr_thiazole fr_thiocyan fr_thiophene fr_unbrch_alkane
    fr_urea
"""
DESCRIPTOR_NAMES: tuple[str, ...] = tuple(_NAMES.split())
"""Names of the columns of ``descriptors``."""

_FUNCTIONS = dict(Descriptors._descList)
# These compute the same indices of all atoms anew, unless they are told that those of the molecule may be used.
_FUNCTIONS |= {name: partial(_FUNCTIONS[name], force=False) for name in _NAMES.split() if name.endswith("EStateIndex")}
_CHUNK = 64
_LARGEST = float(np.finfo(np.float32).max)


def descriptors(molecules: Sequence[Chem.Mol], *, n_jobs: int = 1) -> NDArray[np.float32]:
    """RDKit's descriptors of each molecule, float32 ``[molecules, len(DESCRIPTOR_NAMES)]``.

    NaN stands where RDKit has no value, as for the partial charges of most metals. Explicit hydrogens are taken off
    first. Some milliseconds per molecule; ``n_jobs`` processes share the work (-1: one per core) and do not change the result.

    >>> values = descriptors([Chem.MolFromSmiles("CCO")])
    >>> dict(zip(DESCRIPTOR_NAMES, values[0]))["MolWt"]
    np.float32(46.069)
    """
    if n_jobs == 1 or not molecules:
        return _rows(molecules)
    # joblib's objects hold each other, and what they were given, for long: bytes and arrays are small.
    stored = [molecule.ToBinary() for molecule in molecules]
    chunks = [stored[start : start + _CHUNK] for start in range(0, len(stored), _CHUNK)]
    done = cast(list[NDArray[np.float32]], Parallel(n_jobs=n_jobs)(delayed(_stored_rows)(chunk) for chunk in chunks))
    return np.concatenate(done)


def _stored_rows(stored: Sequence[bytes]) -> NDArray[np.float32]:
    return _rows([Chem.Mol(each) for each in stored])  # pyright: ignore[reportCallIssue, reportArgumentType]


def _rows(molecules: Sequence[Chem.Mol]) -> NDArray[np.float32]:
    with rdBase.BlockLogs():
        rows = [[_value(name, molecule) for name in DESCRIPTOR_NAMES] for molecule in map(_bare, molecules)]
    return np.array(rows, dtype=np.float32).reshape(-1, len(DESCRIPTOR_NAMES))


def _bare(molecule: Chem.Mol) -> Chem.Mol:
    return molecule if molecule.GetNumAtoms() == molecule.GetNumHeavyAtoms() else Chem.RemoveHs(molecule)


def _value(name: str, molecule: Chem.Mol) -> float:
    """One descriptor; NaN if this RDKit lacks it, fails, or finds a value that float32 does not hold."""
    try:
        value = float(_FUNCTIONS[name](molecule))
    except (KeyError, ValueError, RuntimeError, ArithmeticError, IndexError):
        return math.nan
    return value if abs(value) <= _LARGEST else math.nan


def own_columns(names: Sequence[str]) -> tuple[str, ...]:
    """Of the names of a model's descriptors those that are columns of a table: behind RDKit's, which are all there or none.

    >>> own_columns([*DESCRIPTOR_NAMES, "logD"]), own_columns(["logD"]), own_columns(DESCRIPTOR_NAMES)
    (('logD',), ('logD',), ())
    """
    known = len(DESCRIPTOR_NAMES)
    return tuple(names[known:] if tuple(names[:known]) == DESCRIPTOR_NAMES else names)
