"""An RTSP client without I/O: bytes in; bytes to send, a keyframe, or a failure out. Pure.

message   requests and responses as bytes            (RFC 2326)
auth      Basic and Digest                           (RFC 7617, RFC 7616)
sdp       which track is the video, and its codec    (RFC 8866)
rtp       one packet's header                        (RFC 3550)
reorder   packets that arrive over UDP, in order
payload   how NAL units are packed in packets        (RFC 6184, RFC 7798)
assembler packets of a track to one whole keyframe   (RFC 6184, RFC 7798)
packet_runs what passes over many packets at once; engine/feed/packets does
session   DESCRIBE, SETUP, PLAY, then packets until the keyframe is whole
"""
