"""The web console: server-rendered pages for inspectors, directors and operators, made of calls of patrol.v1."""
