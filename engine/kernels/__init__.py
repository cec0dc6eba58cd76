"""Measures one picture: raw figures, the scores made of them, a tile map and a signature. Pure; Numba inside, NumPy at
the boundary."""
