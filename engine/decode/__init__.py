"""Decodes keyframes to luma planes, finds damage, and renders them for people.

Only this package, the feed's demuxing and the demo's encoding import `av`.

decoder        one keyframe to one picture, and all the damage that is found
planes         a decoder's frame as planes
damage         areas that a decoder never wrote
slice_check    H.264 and H.265: bytes that no encoder writes into a slice
grid_steps     steps that stand alone on the grid of blocks
jpeg_check     JPEG: are the coded data what an encoder wrote?
jpeg_tables    its headers
jpeg_scan      its codes
level_drift    its blocks' means
warmup         compiles what is compiled
render         JPEG for people
"""
