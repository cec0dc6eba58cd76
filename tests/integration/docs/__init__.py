"""README and docs/ are followed line by line, on a machine of their own."""
