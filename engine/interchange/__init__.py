"""Formats shared with other systems: region codes, GB/T 28181 fields, files of cameras, lists of media platforms."""
