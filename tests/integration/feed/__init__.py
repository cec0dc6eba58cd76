"""Tests of visits and decoding against real servers and real bitstreams."""
