"""Passes over many packets of an RTP stream in one call. Compiled; pure."""
