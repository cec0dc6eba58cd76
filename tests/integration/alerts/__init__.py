"""Each alert of docs/alerts.yml is shown firing by its fault, in a real Prometheus that scrapes a real engine."""
