"""The syntax of H.264, H.265 and JPEG: NAL units, headers, picture sizes. Pure; feed and decode share it."""
