"""Canary, promote and roll back: changes of ``slipway:release``, then ``pulumi up``.

A version is built only while ``app/VERSION`` names it and nothing is published under it that
traffic reaches. From the moment a release command moves traffic, the digest stands beside the
version in the stack file, so that newer source can never appear under an older version.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from semver import Version

from commands.errors import CommandError
from commands.note import Note
from commands.pulumi import Stack
from commands.registry import published_digest
from commands.stack_file import PROJECT, StackFile
from local import files
from settings import VERSION, Settings

VERSION_FILE = PROJECT / "app" / "VERSION"


def parse_version(version: str) -> Version:
    """A version as a person typed it, if a stack file may have it. Raises :class:`CommandError`."""
    if VERSION.matches(version):
        with suppress(ValueError):
            return Version.parse(version)
    allowed = VERSION.allowed.removesuffix(", in quotes")
    raise CommandError(f"VERSION={version} is not a version: use {allowed}")


class Release:
    """The release of one stack, changed by the commands.

    ``settings`` are the stack's settings as they stand, ``environment`` is where tools are found.
    ``canary``, ``promote`` and ``rollback`` write the stack file, and say what they wrote; nothing
    is written when they raise :class:`CommandError`. What they wrote is deployed afterwards: until
    ``note`` is cleared, a repeated ``promote`` or ``rollback`` writes nothing more.
    """

    def __init__(
        self, stack: Stack, settings: Settings, environment: Mapping[str, str], note: Note
    ) -> None:
        self._stack = stack
        self._settings = settings
        self._environment = environment
        self._note = note
        self._file = StackFile(stack.name)
        self._image = settings.image.name

    def check_canary(self, version: str, weight: int) -> None:
        """Raise :class:`CommandError` for a canary that the settings alone rule out."""
        parse_version(version)
        if not 0 <= weight <= 100:  # noqa: PLR2004
            raise CommandError(f"WEIGHT={weight} is out of bounds: use a percentage from 0 to 100")
        release = self._settings.release
        if release.strategy != "canary":
            raise CommandError(
                f"slipway:release.strategy is {release.strategy!r} in {self._file.path.name}: "
                "a weighted canary needs 'canary'"
            )
        if version == release.stable.version:
            raise CommandError(f"VERSION={version} is what stable runs already: name another one")

    def canary(self, version: str, weight: int) -> str:
        """Send ``weight`` percent of requests to ``version`` and leave the rest where they are.

        ``version`` runs already, or it is published, or it is what ``app/VERSION`` names, or it is
        newer than that: then ``app/VERSION`` is moved on to it and it is built from the working
        tree.
        """
        self.check_canary(version, weight)
        release = self._settings.release
        stable = release.stable.version
        stable_digest = release.stable.digest or self._digest_of("stable", stable)
        if stable_digest is None:
            raise CommandError(
                f"stable {stable} is not deployed yet, so there is nothing to compare a canary "
                "with: run `make up` first"
            )
        built = VERSION_FILE.read_text().strip()
        digest = self._digest_of_same_canary(version)
        moved = ""
        if digest is None and version != built:
            digest = published_digest(self._image, version, self._environment)
            if digest is None:
                if parse_version(version) <= parse_version(built):
                    raise CommandError(
                        f"VERSION={version} is not published in {self._image} and app/VERSION is "
                        f"{built} already: name a published version, or one after {built}"
                    )
                moved = f"app/VERSION: {built} -> {version} (built from the working tree)\n"
                files.write(VERSION_FILE, f"{version}\n")
        self._file.pin_stable(stable, stable_digest).start_canary(version, weight, digest).save()
        return f"{moved}{self._file.path.name}: stable {stable}, canary {version} at {weight} %"

    def check_promotion(self) -> None:
        """Raise :class:`CommandError` where there is nothing to promote."""
        if self._settings.release.canary is None and not self._is_unfinished("promote"):
            raise CommandError(
                f"there is no canary in {self._file.path.name} to promote: "
                "start one with `make canary VERSION=… WEIGHT=…`"
            )

    def promote(self) -> str:
        """Send every request to the canary's version, exactly the image that the canary runs."""
        self.check_promotion()
        canary = self._settings.release.canary
        if canary is None:
            return (
                f"{self._file.path.name}: stable {self._settings.release.stable.version}, as the "
                "last promotion wrote, which was not deployed to the end"
            )
        digest = canary.digest or self._digest_of("canary", canary.version)
        if digest is None:
            raise CommandError(
                f"canary {canary.version} is not deployed yet: "
                f"run `make up STACK={self._stack.name}`"
            )
        self._file.pin_stable(canary.version, digest).end_canary()
        self._save("promote")
        return f"{self._file.path.name}: stable {canary.version}, no canary"

    def rollback(self, version: str | None = None) -> str:
        """End the canary; when there is none, go back to ``version``.

        ``version`` is by default the stable version that the stack ran before this one.
        """
        release = self._settings.release
        if version is None and self._is_unfinished("rollback"):
            return (
                f"{self._file.path.name}: stable {release.stable.version}, as the last rollback "
                "wrote, which was not deployed to the end (VERSION=… goes back further)"
            )
        if release.canary is not None and version is None:
            self._file.end_canary()
            self._save("rollback")
            return (
                f"{self._file.path.name}: stable {release.stable.version}, "
                f"canary {release.canary.version} ended"
            )
        version, digest = self._published(version) if version else self._previous_stable()
        self._file.pin_stable(version, digest).end_canary()
        self._save("rollback")
        return f"{self._file.path.name}: stable {release.stable.version} -> {version}"

    def _is_unfinished(self, command: str) -> bool:
        return self._note.says(command, self._file.release)

    def _save(self, command: str) -> None:
        self._note.write(command, self._file.release)
        self._file.save()

    def _published(self, version: str) -> tuple[str, str]:
        parse_version(version)
        digest = published_digest(self._image, version, self._environment)
        if digest is None:
            raise CommandError(f"VERSION={version} is not published in {self._image}")
        return version, digest

    def _previous_stable(self) -> tuple[str, str]:
        now = self._settings.release.stable
        for release in self._stack.releases():
            stable = release.get("stable", {})
            if stable.get("version") != now.version:
                version = stable["version"]
                return version, stable.get("digest") or self._published(version)[1]
        raise CommandError(
            f"{self._stack.name} has never run another stable version than {now.version}: "
            "name one with VERSION=…"
        )

    def _digest_of_same_canary(self, version: str) -> str | None:
        """The digest of the canary that there is, if it is of ``version`` and came up."""
        canary = self._settings.release.canary
        if canary is None or canary.version != version:
            return None
        if canary.digest is not None:
            return canary.digest
        # An update that failed has outputs too, and its canary may be mended and built again.
        deployed = next(iter(self._stack.releases()), {}).get("canary") or {}
        return self._running("canary", version) if deployed.get("version") == version else None

    def _digest_of(self, track: str, version: str) -> str | None:
        """The digest that ``track`` runs, if it runs ``version``; else what is published."""
        running = self._running(track, version)
        return running or published_digest(self._image, version, self._environment)

    def _running(self, track: str, version: str) -> str | None:
        running: dict[str, Any] = self._stack.outputs().get(track) or {}
        if running.get("version") == version and "@" in running.get("image", ""):
            return running["image"].rpartition("@")[2]
        return None
