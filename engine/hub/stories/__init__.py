"""The stories of cameras that are not quietly ok."""
