"""A keyframe's way through the hub: accepted, measured by a worker, judged, stored, published."""
