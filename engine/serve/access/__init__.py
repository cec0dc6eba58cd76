"""Access control of the API: tokens, roles, regions, bounds of request fields, idempotent calls, the audit log."""
