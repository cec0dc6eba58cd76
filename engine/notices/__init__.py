"""Notices (通报): webhooks that tell of findings and verdicts, and digests that people read."""
