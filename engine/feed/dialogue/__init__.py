"""Records what engine and camera say to each other, without passwords, for `patrol check --trace`."""
