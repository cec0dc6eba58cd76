"""Passwords of cameras in the database: sealed with a key that lies elsewhere."""
