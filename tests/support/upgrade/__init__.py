"""What the release before this one left behind: a recording of it, and the program that makes one."""
