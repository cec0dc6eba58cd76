"""What the first page shows, made of calls: areas, rates with trend, what became worse, urgent findings, the patrol."""
