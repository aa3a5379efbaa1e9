"""``make ca-certificate``: certificate of the CA that clients of a stack have to trust."""

import argparse
import base64
import os
import sys
from collections.abc import Mapping, Sequence

from commands import kubectl
from commands.errors import FAILED, CommandError, report_errors
from commands.out_option import out_file
from commands.prerequisites import Prerequisites
from components.labels import CA
from local import files
from settings import Settings, load


@report_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Write the certificate to the file, or print it; return the exit code."""
    parser = argparse.ArgumentParser(prog="commands.ca_certificate", description=__doc__)
    parser.add_argument("--stack", required=True)
    parser.add_argument("--out", type=out_file, help="file; by default the output")
    options = parser.parse_args(arguments)
    settings = load(options.stack)
    environment = {**os.environ, **Prerequisites(settings).variables()}
    certificate = ca_certificate(settings, environment)
    if options.out:
        files.write(options.out, certificate)
    else:
        print(certificate, end="")
    return 0


def ca_certificate(settings: Settings, environment: Mapping[str, str]) -> str:
    """Return the certificate of the stack's CA as PEM. Raises :class:`CommandError`."""
    if not any(one.tls.mode == "selfSigned" for one in settings.certified):
        raise CommandError(
            "the stack has no CA: set slipway:services.<service>.routing.tls.mode to selfSigned"
        )
    secret = kubectl.get(
        *("secret", CA, "--namespace", settings.namespace.name, "--ignore-not-found"),
        environment=environment,
        context=settings.cluster.context,
    )
    if not secret:
        raise CommandError("the stack has no CA yet: `make up` creates it", FAILED)
    return base64.b64decode(secret["data"]["tls.crt"]).decode()


if __name__ == "__main__":
    sys.exit(main())
