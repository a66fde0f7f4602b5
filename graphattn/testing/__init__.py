"""Assertions about layers that hold for every layer here, and that users can hold their own layers to.

:mod:`graphattn.testing.swap` is a pytest plugin that runs PyG's own tests on graphattn's drop-ins.
"""

from graphattn.testing.assertions import (
    assert_backends_agree,
    assert_batched_equals_alone,
    assert_permutation_equivariant,
)

__all__ = ["assert_backends_agree", "assert_batched_equals_alone", "assert_permutation_equivariant"]
