"""`patrol doctor`: examines machine, configuration, database and network, and says what to do about what is wrong."""
