"""Visits cameras through FFmpeg, in threads that can be given up."""
