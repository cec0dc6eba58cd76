"""Registry: the table of cameras, and how files of them come in and go out."""
