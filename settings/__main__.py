"""``python -m settings``: write the JSON schemas that editors check stack files and fleets with."""

from settings import fleet
from settings.schema import SCHEMA_FILE, stack_file_schema, write_schema
from settings.stack import Settings

write_schema(stack_file_schema(Settings), SCHEMA_FILE)
write_schema(fleet.fleet_schema(), fleet.SCHEMA_FILE)
