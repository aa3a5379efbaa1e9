"""``make drill``: bad versions of a service under load, and how fast each is detected and ended."""
