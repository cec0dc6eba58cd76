"""Tests of notices over real HTTP."""
