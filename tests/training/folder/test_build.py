import re

import pytest

from graphattn.training.folder.build import build


def test_builds_with_the_arguments_of_the_task(tiny):
    network = build(tiny, outputs=3, descriptors=5)
    assert network.readout.weight.shape == (3, 8 + 5)


def test_unknown_name_is_refused():
    with pytest.raises(ValueError, match=re.escape("graphattn.models has no model named 'Nothing'")):
        build({"name": "Nothing"}, 1, 0)


def test_unknown_arguments_are_refused(tiny):
    with pytest.raises(ValueError, match=re.escape("Tiny cannot be built from {'channels': 8, 'width': 4}: ")):
        build(tiny | {"width": 4}, 1, 0)
