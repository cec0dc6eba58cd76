"""One file per revision, `0001_base.py` and on; each names the one before it. A released revision is never changed."""
