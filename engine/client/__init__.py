"""What programs in Python import to call a running engine."""
