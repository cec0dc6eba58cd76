"""The gRPC services of patrol.v1, one module each."""
