"""The settings of the judge, by what they are about."""
