"""CrossGuard policy pack for the objects of every stack."""
