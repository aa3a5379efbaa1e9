"""Stands for kubectl: a folder for each context, which has the objects by kind, and ``uid``."""

import json
import sys
from pathlib import Path

root, verb, *arguments = sys.argv[1], *sys.argv[4:]
context = Path(root) / "clusters" / sys.argv[3]
if not context.is_dir():
    sys.exit(f'error: context "{context.name}" does not exist')
if verb == "apply":
    manifest = json.load(sys.stdin)
    (context / manifest["metadata"]["name"]).write_text(json.dumps(manifest))
elif arguments[0] == "namespaces":
    uid = (context / "uid").read_text()
    print(json.dumps({"metadata": {"name": arguments[1], "uid": uid}}))
elif arguments[0] == "configmap":
    file = context / arguments[1]
    print(file.read_text() if file.exists() else "")
else:
    print(json.dumps({"items": []}))
