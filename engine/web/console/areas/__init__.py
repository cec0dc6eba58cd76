"""Areas of the map: read from GeoJSON, simplified, drawn as SVG paths."""
