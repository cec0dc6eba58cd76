"""KPIs: counts, kept up to date as verdicts, periods and registry changes come in, and the rates made of them. Pure."""
