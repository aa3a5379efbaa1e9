"""From a bare Debian machine to what `pulumi up` needs. See README.md beside this file."""
