"""Notices (通报): webhooks about findings and verdicts, and digests for people."""
