"""The console against a real engine: by HTTP, and in a browser."""
