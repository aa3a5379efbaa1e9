"""``python -m settings``: write the JSON schema that editors check stack files with."""

from settings.schema import write_schema
from settings.stack import Settings

write_schema(Settings)
