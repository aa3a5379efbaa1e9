"""Pulumi components of the program and the parts they are made of."""
