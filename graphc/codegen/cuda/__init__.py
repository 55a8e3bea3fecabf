"""The same loop language for NVIDIA's graphics processors, by way of numba-cuda."""
