"""Questions to the service itself, one module each: they ask and never judge."""
