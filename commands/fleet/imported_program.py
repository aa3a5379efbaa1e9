"""Imports what the Pulumi program imports, for the process that :mod:`preview_process` forks."""

from commands.pulumi import import_program
from settings import Settings

import_program()
Settings.model_rebuild()  # builds the validator, which is built at the first load otherwise
