"""Raw figures of a picture, and the scores made of them. Pure; Numba inside, NumPy at the edge."""
