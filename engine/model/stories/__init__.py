"""What happened to a camera lately: types of a story, and its events."""
