"""Commands on all stacks of a fleet: up, preview, rollback and status with ``FLEET=…``."""
