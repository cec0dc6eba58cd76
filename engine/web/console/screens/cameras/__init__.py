"""Camera and canteen: their pages, what may be done there, and the form of a registry row."""
