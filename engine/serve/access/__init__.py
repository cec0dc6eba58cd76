"""Who may call what: tokens, roles, regions, request bounds, audit."""
