"""A visit: from a URL to one fresh keyframe; the wire it travels on; the queue it waits in."""
