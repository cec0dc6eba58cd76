"""How right the judge is: real pictures through a physical chain, real codecs and the engine's own path."""
