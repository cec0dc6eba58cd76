"""Commands that need no running engine: one-shot checks, rejudging, reports, registry files, media platforms."""
