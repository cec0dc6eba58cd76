"""When each camera wants its next visit: periods, kitchens' hours, back-off, overload. Pure."""
