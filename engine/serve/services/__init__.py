"""The gRPC services of patrol.v1, a module each. The interceptor has checked each request before it comes here."""
