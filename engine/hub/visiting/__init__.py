"""Visits: joins the scheduler and the feeders."""
