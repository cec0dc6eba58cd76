"""HTTP for callers without gRPC: turns HTTP and JSON into calls of patrol.v1, and decides nothing by itself."""
