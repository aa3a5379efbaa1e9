"""The `docker-build` provider: container images built by buildx and BuildKit."""
