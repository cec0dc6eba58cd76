"""Commands about one camera or a few: show, add, edit, delete, check now, verdicts, pictures."""
