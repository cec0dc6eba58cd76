"""What the review queue shows: the queue itself, one finding with its evidence, its figures in words, reasons."""
