"""What others see: gRPC services, health, reflection, Prometheus. Reads the store and the hub's stream of verdicts."""
