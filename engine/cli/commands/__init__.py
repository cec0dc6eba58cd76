"""The commands of patrol, one module a group."""
