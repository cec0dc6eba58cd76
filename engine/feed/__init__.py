"""Visits cameras: from a URL to one fresh keyframe, the messages that carry it, the queue before the workers."""
