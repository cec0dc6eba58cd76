"""Counts for the KPIs, kept up as verdicts, periods and registry changes come in, and the rates made of them. Pure."""
