"""One file a revision: `0001_base.py` and on, each naming the one before it. A revision is never changed."""
