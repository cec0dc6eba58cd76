"""What other systems hand us and take from us: region codes, GB/T 28181 fields, files of cameras, media platforms."""
