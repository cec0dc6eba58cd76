"""Measures the web console as people meet it: pages, the wall in Chromium, and what open pages cost the patrol."""
