"""Mutates real keyframes by seed and sends them through real workers: what is damaged must never be called a fault."""
