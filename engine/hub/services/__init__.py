"""The hub's services: findings, KPIs, notices, spot checks, each the owner of one subject."""
