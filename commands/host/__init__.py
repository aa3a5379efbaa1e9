"""Files that run a stack's services on hosts without Kubernetes."""
