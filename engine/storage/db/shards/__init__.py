"""What several engines need that write to one PostgreSQL database: leases, the fence, numbers in order, and the
configuration that was applied to all."""
