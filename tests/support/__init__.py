"""Helpers that tests share: servers, clips, simulated worlds, auditors. It holds no tests."""
