"""Imports what the Pulumi program imports, for the process that :mod:`preview_process` forks."""

from commands.pulumi import import_program

import_program()
