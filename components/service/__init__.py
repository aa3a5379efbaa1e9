"""One service: its image, releases, workloads and credentials."""
