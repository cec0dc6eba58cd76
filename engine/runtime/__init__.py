"""What every process of the engine is built on: ZeroMQ transport, control pipe, logs, compiled-code cache."""
