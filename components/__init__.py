"""What is deployed: one noun per file, each a Pulumi component or a part of one."""
