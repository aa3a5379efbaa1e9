"""``make dev``: run the working tree of a service in its pod, again after each edit."""
