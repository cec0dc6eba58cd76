"""Reading of files that the configuration names, and what is said of wrong ones."""
