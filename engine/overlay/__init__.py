"""Text burnt into pictures: reads it, parses clocks, and holds clock and name against arrival and registry."""
