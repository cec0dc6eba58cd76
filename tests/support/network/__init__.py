"""Two hosts of a test's own, and a link between them that loses, delays and cuts."""
