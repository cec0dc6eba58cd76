"""Reads rows of cameras as files have them: CSV, the registry's columns, the names of GB/T 28181. Pure."""
