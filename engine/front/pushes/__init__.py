"""What gateways push to a front: taken by its intake, kept for a moment, passed on to the engines of the shards."""
