"""The gRPC API: services of patrol.v1, health and reflection, access control, streams to watchers."""
