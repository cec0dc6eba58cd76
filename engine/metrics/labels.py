"""Labels that metrics of several modules have. Pure."""

from engine.metrics.metric import Label

REGIONS_MAX = 500
"""Regions with a label value of their own; a province has fewer than 200 counties. All others count as `other`."""

REGION = Label("region", unknown_because="the registry decides which counties there are; at most 500, the rest: other")
