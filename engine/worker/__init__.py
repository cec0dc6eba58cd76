"""The worker process: decodes keyframes and measures them."""
