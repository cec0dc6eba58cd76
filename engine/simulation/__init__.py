"""A patrol rehearsed: the very same scheduler, in virtual time, against a model of the world."""
