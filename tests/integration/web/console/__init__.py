"""The web console, in front of a real gRPC server and a real engine."""
