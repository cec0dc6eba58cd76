"""Stores the ledger: events, which are only appended, and the findings as they left them."""
