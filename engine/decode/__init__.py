"""Keyframe in, luma plane out. The only import of `av` besides the feed's demuxing and the demo's encoding."""
