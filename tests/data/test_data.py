import subprocess
import sys

import pytest

from graphattn import data


def test_public_names_are_there():
    assert len(data.__all__) > 20
    for name in data.__all__:
        assert getattr(data, name) is not None
    assert set(data.__all__) <= set(dir(data))


def test_another_name_is_refused():
    with pytest.raises(AttributeError, match=r"No graphattn\.data attribute nothing"):
        _ = data.nothing


def test_importing_the_package_imports_neither_torch_nor_rdkit():
    code = "import sys, graphattn.data; print({'torch', 'rdkit', 'pandas'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
