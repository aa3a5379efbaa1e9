"""Manifests of a stack for Argo CD or Flux, and the objects that sync them."""
