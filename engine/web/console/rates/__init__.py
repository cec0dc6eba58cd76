"""Rates of regions and canteens over days: sums, periods, tables, the league, CSV."""
