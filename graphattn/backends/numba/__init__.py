"""Kernels for the CPU, compiled on the user's machine by Numba when they are first called."""
