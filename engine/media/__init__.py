"""Parses the syntax of H.264, H.265 and JPEG without decoding: NAL units, headers, picture sizes. Pure.

bits             bits of a NAL unit's content, without emulation prevention
nal              NAL unit types; splitting an Annex-B payload; intra slices, first slices, recovery points
parameter_sets   the coded picture size in a sequence parameter set
jpeg             the picture size in a JPEG's headers
access_unit      what one payload holds, for the decoder
keyframe_check   whether a payload decodes by itself, for the feed
"""
