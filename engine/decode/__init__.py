"""Decodes keyframes to luma planes, and renders them for people.

Only this package, the feed's demuxing and the demo's encoding import `av`.
"""
