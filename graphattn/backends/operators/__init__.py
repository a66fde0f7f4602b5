"""Operators: schema, shapes, vmap and gradients, once for all devices; what computes them stands in numba, triton and torch."""
