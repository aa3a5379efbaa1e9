"""Changes of a service's ``release`` in the stack file: release, promote, rollback, pause.

Only one version is built from source, and only until a release command pins it: the one in the
``VERSION`` file of the source, where there is one. Each release command writes the digests of the
versions that serve traffic to the stack file, so newer source is never built under an older
version.
"""

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from ruamel.yaml.error import YAMLError
from semver import Version

from commands.errors import CommandError
from commands.pending_release import PendingRelease
from commands.pulumi import Stack
from commands.registry import RegistryError, published_digest
from commands.released_settings import ReleasedSettings
from commands.stack_file import ReleaseFile
from local import files
from settings import TRACK_KEYS, VERSION, Service, SettingsError, stable_settings
from settings.source import version_file, working_tree_version
from settings.stack_config import read


def parse_version(version: str) -> Version:
    """Parse the value of ``VERSION``. Raises :class:`CommandError`."""
    if VERSION.matches(version):
        with suppress(ValueError):
            return Version.parse(version)
    allowed = VERSION.allowed.removesuffix(", in quotes")
    raise CommandError(f"VERSION={version} is not a version: use {allowed}")


class Release:
    """The release of one service of a stack.

    ``start``, ``promote``, ``rollback`` and the others write the stack file and return a message;
    they write nothing when they raise :class:`CommandError`. The caller deploys the stack
    afterwards. Until ``pending`` is cleared, a repeated ``promote`` or ``rollback`` changes nothing
    more.

    A tag can be moved, so a version that the stack has run keeps its digest. ``cluster_digests``
    returns the digests, by version, of the images that the cluster has run.
    """

    def __init__(
        self,
        stack: Stack,
        service: Service,
        image: str,
        environment: Mapping[str, str],
        pending: PendingRelease,
        *,
        cluster_digests: Callable[[], Mapping[str, str]],
    ) -> None:
        self._stack = stack
        self._service = service
        self._image = image
        self._environment = environment
        self._pending = pending
        self._cluster_digests = cluster_digests
        self._file = ReleaseFile(stack.name, service.name)

    def start(self, version: str, weight: int) -> str:
        """Start the release of a version as the strategy of the service does it.

        ``weight`` is the percentage of the requests with strategy ``canary``. A release that was
        started already is the same afterwards.
        """
        match self._service.release.strategy:
            case "canary":
                return self.canary(version, weight)
            case "blueGreen":
                return self.start_idle(version)
        return self._set_stable(version)

    def _set_stable(self, version: str) -> str:
        """Set stable to a published version, or to a new one that is built from the working tree.

        The rules for versions are those of :meth:`canary`.
        """
        parse_version(version)
        stable = self._service.release.stable
        if version == stable.version:
            return f"{self._place}: stable {version}, as it is in the file already"
        digest = None
        is_new = False
        if version != self._built_version or self._known_digest(version) is not None:
            digest = self._published_digest(version)
            is_new = digest is None
        self._file.pin_stable(version, digest).set_paused(False)
        self._check_file()
        new_version = self._start_version(version) if is_new else ""
        self._file.save()
        return f"{new_version}{self._place}: stable {stable.version} -> {version}"

    def skip_analysis(self) -> str:
        """Promote the progressive release in progress, without further steps and gates."""
        self._file.set_analysis(False).set_paused(False)
        self._save("promote")
        version = self._service.release.stable.version
        return f"{self._place}: stable {version}, without further analysis"

    def end_skipped_analysis(self) -> None:
        """Let the next progressive release have its analysis."""
        self._file.set_analysis(True).save()

    def pause(self, paused: bool) -> str:
        """Pause a progressive release, or resume it."""
        self._file.set_paused(paused)
        self._check_file()
        self._file.save()
        return f"{self._place}: release {'paused' if paused else 'resumed'}"

    @property
    def skips_analysis(self) -> bool:
        """True if the stack file lets Flagger promote stable without analysis."""
        return self._file.release.get("stable", {}).get("analysis") is False

    def restore(
        self, version: str, digest: str, started: datetime | None, *, skips_analysis: bool
    ) -> str:
        """Set stable to the version that serves beside a progressive release, with its settings.

        ``started`` is the time at which the release started. After its end, Flagger does nothing if
        the same pods are declared again, so only another configuration has to skip the analysis.
        """
        release = self._service.release
        restored = self._restore(self._served_settings(version, started))
        self._file.pin_stable(
            version,
            digest,
            before_start=release.before_start is None,
            analysis=not (skips_analysis or restored),
        ).set_paused(False)
        self._save("rollback")
        return f"{self._place}: stable {release.stable.version} -> {version}{restored}"

    def _served_settings(self, version: str, started: datetime | None) -> Mapping[str, Any]:
        """Settings that a version was released with before the release that started then."""
        name = self._service.name

        def released(sections: Mapping[str, Any]) -> tuple[object, Mapping[str, Any]]:
            return _stable_version(sections, name), stable_settings(sections, name)

        ended = next((released(one) for one in self._stack.configurations()), None)
        for sections in self._stack.configurations(started):
            if _stable_version(sections, name) == version and released(sections) != ended:
                return self._without_secrets(sections, version)
        print(f"the settings of {version} are not known: those that are deployed now stay")
        return self._stable_settings()

    def check_start(self, version: str) -> None:
        """Raise :class:`CommandError` for a release that the settings rule out."""
        parse_version(version)
        if self._service.release.strategy == "canary":
            self.check_canary(version)

    def check_canary(self, version: str) -> None:
        """Raise :class:`CommandError` for a canary that the settings rule out."""
        parse_version(version)
        release = self._service.release
        if release.strategy != "canary":
            raise CommandError(
                f"{self._key}.strategy is {release.strategy!r} in {self._file.path.name}: "
                "a weighted canary needs 'canary'"
            )
        if version == release.stable.version:
            raise CommandError(f"VERSION={version} is the stable version already: use another one")

    def canary(self, version: str, weight: int) -> str:
        """Send ``weight`` percent of the requests to ``version`` and the rest to stable.

        ``version`` is the running canary's, or a published one, or a new one that is built from the
        working tree. If the source has a ``VERSION`` file, a new version is the one in it, or a
        newer one: then this writes it to the file.
        """
        self.check_canary(version)
        new_version = self._start(
            version,
            lambda digest, before_start: self._file.start_canary(
                version, weight, digest, before_start=before_start
            ),
        )
        stable = self._service.release.stable.version
        return f"{new_version}{self._place}: stable {stable}, canary {version} at {weight} %"

    def check_idle(self, version: str) -> None:
        """Raise :class:`CommandError` for a version that the idle color cannot have."""
        parse_version(version)
        release = self._service.release
        if release.strategy != "blueGreen":
            raise CommandError(
                f"{self._key}.strategy is {release.strategy!r} in {self._file.path.name}: "
                "an idle color needs 'blueGreen'"
            )
        if version == release.stable.version:
            raise CommandError(f"VERSION={version} is the live version already: use another one")

    def start_idle(self, version: str) -> str:
        """Deploy ``version`` to the idle color, which gets no requests of users.

        ``version`` as for :meth:`canary`.
        """
        self.check_idle(version)
        new_version = self._start(
            version,
            lambda digest, before_start: self._file.start_idle(
                version, digest, before_start=before_start
            ),
        )
        return f"{new_version}{self._place}: {self._colors(version)}"

    def _colors(self, idle: str) -> str:
        stable, colors = self._service.release.stable.version, self._service.release.blue_green
        return f"{stable} is live ({colors.live}), {idle} is idle ({colors.idle})"

    def _start(self, version: str, write: Callable[[str | None, bool], object]) -> str:
        """Start a version beside stable; ``write`` gets its digest and ``before_start``.

        Return a message about the changed ``VERSION`` file, or nothing.
        """
        release = self._service.release
        stable = release.stable.version
        stable_digest = release.stable.digest or self._known_digest(stable)
        if stable_digest is None:
            raise CommandError(
                f"stable {stable} is not deployed yet, and a release needs a stable version to "
                "compare with: run `make up` first"
            )
        digest = self._digest_of_current(version)
        is_new = False
        if digest is None and version != self._built_version:
            digest = self._published_digest(version)
            is_new = digest is None
        self._file.pin_stable(
            stable,
            stable_digest,
            before_start=release.stable.before_start,
            settings=self._stable_settings(),
        )
        is_running = release.beside is not None and release.beside.version == version
        write(digest, release.beside.before_start if release.beside and is_running else True)
        self._check_file()
        new_version = self._start_version(version) if is_new else ""
        self._file.save()
        return new_version

    def _stable_settings(self) -> Mapping[str, Any]:
        """Settings that stable was released with: changes since then are the canary's."""
        if (settings := self._file.stable_settings) is not None:
            return settings
        with self._stack.deployed_configuration() as file:
            return stable_settings(read(file or self._file.path), self._service.name)

    def _check_file(self) -> None:
        """Raise :class:`CommandError` if the stack file would be invalid."""
        try:
            self._file.check()
        except SettingsError as error:
            hint = ".release.stable.settings" in str(error) and (
                "the settings that stable was deployed with cannot be used with this program: "
                f"run `make up STACK={self._stack.name}` first. "
            )
            raise CommandError(f"{hint or ''}{error}") from None

    @property
    def _built_version(self) -> str | None:
        """The version in the ``VERSION`` file of the source, if there is one."""
        source = self._service.source
        return working_tree_version(source) if source else None

    def _start_version(self, version: str) -> str:
        """Write a new version to the ``VERSION`` file, if there is one; return a message."""
        source, built = self._service.source, self._built_version
        if source is None:
            raise CommandError(
                f"VERSION={version} is not published in {self._image}, and {self._service.name} "
                "has no source to build it from: use a published version, or set "
                f"slipway:services.{self._service.name}.source"
            )
        newest, place = (
            (built, f"{source}/VERSION")
            if built
            else (self._service.release.stable.version, "stable")
        )
        if parse_version(version) <= parse_version(newest):
            raise CommandError(
                f"VERSION={version} is not published in {self._image} and {place} is "
                f"{newest} already: use a published version, or one after {newest}"
            )
        if built is None:
            return f"{source}: {version} is built from the working tree\n"
        files.write(version_file(source), f"{version}\n")
        return f"{place}: {built} -> {version} (built from the working tree)\n"

    def check_promotion(self) -> None:
        """Raise :class:`CommandError` if there is no version to promote.

        The cluster has the state of a progressive release.
        """
        release = self._service.release
        if release.strategy == "progressive" or self.is_pending("promote"):
            return
        if release.is_promoted and release.beside:
            raise CommandError(
                f"{release.stable.version} is promoted already, and the idle color has "
                f"{release.beside.version}, which was live before: `make rollback` switches back "
                "to it, `make release VERSION=…` starts another version"
            )
        if release.beside is None:
            what, start = (
                ("version of the idle color", "make release VERSION=…")
                if release.strategy == "blueGreen"
                else ("canary", "make canary VERSION=… WEIGHT=…")
            )
            raise CommandError(
                f"there is no {what} of {self._service.name} in {self._file.path.name} to promote: "
                f"start one with `{start}`"
            )

    def promote(self) -> str:
        """Send every request to the version beside stable, pinned to the image that it runs."""
        self.check_promotion()
        if self.is_pending("promote") or (beside := self._service.release.beside) is None:
            return (
                f"{self._place}: stable {self._service.release.stable.version}, as the "
                "interrupted promotion wrote it"
            )
        digest = beside.digest or self._running("canary", beside.version)
        if digest is None:
            what = "canary" if self._service.release.canary else "idle version"
            raise CommandError(
                f"{what} {beside.version} of {self._service.name} is not deployed yet: "
                f"run `make up STACK={self._stack.name}`"
            )
        if self._service.release.idle:
            return self._switch("promote", {beside.version: digest})
        canary = beside
        self._file.pin_stable(canary.version, digest, before_start=canary.before_start)
        self._file.end_canary()
        self._save("promote")
        return f"{self._place}: stable {canary.version}, no canary"

    def _switch(self, command: str, digests: Mapping[str, str]) -> str:
        """Make the idle color live. ``digests`` are those that the stack file does not have."""
        release = self._service.release
        stable, idle, colors = release.stable, release.idle, release.blue_green
        if idle is None:
            raise ValueError("there is no version of the idle color")
        digest = stable.digest or self._known_digest(stable.version)
        if digest is None:
            raise CommandError(f"{stable.version} is not deployed yet: run `make up` first")
        if not release.is_promoted and self._file.stable_settings is None:
            # It keeps the settings that it is deployed with, as the previous version.
            self._file.pin_stable(
                stable.version,
                digest,
                before_start=stable.before_start,
                settings=self._stable_settings(),
            )
        pinned = {stable.version: digest, idle.version: idle.digest, **digests}
        self._file.switch(
            colors.idle,
            {version: one for version, one in pinned.items() if one is not None},
            is_promotion=command == "promote",
        )
        self._save(command)
        return (
            f"{self._place}: {stable.version} -> {idle.version} is live "
            f"({colors.live} -> {colors.idle})"
        )

    def rollback(self, version: str | None = None, *, rejected: Collection[str] = ()) -> str:
        """Switch back to the previous color; otherwise end the canary or the idle color's version.

        Without them, set stable to ``version``, by default the previous stable version that is not
        in ``rejected``.
        """
        release = self._service.release
        is_progressive = release.strategy == "progressive"
        is_pending = self.is_pending("rollback") or (is_progressive and not release.stable.analysis)
        if version is None and is_pending:
            return (
                f"{self._place}: stable {release.stable.version}, as `make rollback` wrote it "
                "(VERSION=… goes back further)"
            )
        if release.idle and release.is_promoted and version in (None, release.idle.version):
            return self._switch("rollback", {})
        if release.beside is not None and version is None:
            restored = self._restore(self._stable_settings())
            self._file.end_canary()
            self._save("rollback")
            what = "canary" if release.canary else "idle"
            return (
                f"{self._place}: stable {release.stable.version}, "
                f"{what} {release.beside.version} ended{restored}"
            )
        if version is None:
            version = self._previous_stable(rejected)
        else:
            parse_version(version)
        digest = self._deployed_digest(version)
        restored = self._restore(self._settings_of(version))
        self._file.pin_stable(
            version,
            digest,
            # Its Job ran when the version was released.
            before_start=release.before_start is None,
            analysis=not is_progressive,
        )
        self._file.end_canary().set_paused(False)
        self._save("rollback")
        return f"{self._place}: stable {release.stable.version} -> {version}{restored}"

    def _restore(self, settings: Mapping[str, Any]) -> str:
        """Give the service the settings of a release; return a message about the changed keys."""
        changed = self._file.restore_settings(settings)
        return f"\n{self._place}: as released: {', '.join(changed)}" if changed else ""

    def _settings_of(self, version: str) -> Mapping[str, Any]:
        """Settings that stable was last deployed with at this version, or else those it has now."""
        for sections in self._stack.configurations():
            if _stable_version(sections, self._service.name) == version:
                return self._without_secrets(sections, version)
        print(f"the settings of {version} are not known: those that are deployed now stay")
        return self._stable_settings()

    def _without_secrets(self, sections: Mapping[str, Any], version: str) -> Mapping[str, Any]:
        """Settings of a version from the history, with the encrypted values of the stack file."""
        name = self._service.name
        current = stable_settings(read(self._file.path), name)
        released = ReleasedSettings(stable_settings(sections, name), current)
        for key in released.omitted:
            print(
                f"{key} of {version} is not restored: set it with "
                f"`pulumi config set --secret --path slipway:services.{name}.{key}`"
            )
        return released.values

    def set_value(self, key: str, value: str) -> str:
        """Set a key of the service, which is a path like ``config.logLevel``, in all tracks.

        ``value`` is YAML. Raises :class:`CommandError` for a secret and for keys of the release.
        """
        place = f"slipway:services.{self._service.name}"
        if not key or not value or key.partition(".")[0] in ("release", "secrets"):
            raise CommandError(
                f"KEY={key} VALUE={value}: use a key of {place} like KEY=config.logLevel, and a "
                "value. `make canary` changes the release, `pulumi config set --secret` secrets"
            )
        has_own = self._file.has_own_settings and key.partition(".")[0] in TRACK_KEYS
        try:
            previous = self._file.set_value(key, value)
        except YAMLError as error:
            raise CommandError(f"VALUE={value} is not a YAML value: {error}") from None
        self._check_file()
        self._file.save()
        tracks = "all tracks"
        if has_own:
            tracks = "both colors" if self._service.release.idle else "stable and canary"
        return f"{self._place}: {key}: {previous} -> {value}, for {tracks}"

    @property
    def _place(self) -> str:
        return f"{self._file.path.name}: {self._service.name}"

    @property
    def _key(self) -> str:
        return f"slipway:services.{self._service.name}.release"

    def is_pending(self, command: str) -> bool:
        """True if ``command`` wrote the stack file and its update has not succeeded."""
        return self._pending.matches(command, self._file.release)

    def _save(self, command: str) -> None:
        self._pending.save(command, self._file.release)
        self._file.save()

    def _previous_stable(self, rejected: Collection[str]) -> str:
        current = self._service.release.stable.version
        for release in self._stack.releases(self._service.name):
            version = release.get("stable", {}).get("version")
            if version not in (None, current, *rejected):
                return version
        others = f" that was not rolled back, except {current}" if rejected else f" than {current}"
        raise CommandError(
            f"{self._service.name} in {self._stack.name} has never run another stable version"
            f"{others}: set one with VERSION=…"
        )

    def _deployed_digest(self, version: str) -> str:
        """Digest of a version that the stack has run before; the registry must agree."""
        digest = self._known_digest(version)
        if digest is None:
            raise CommandError(
                f"{self._service.name} {version} was never deployed to {self._stack.name}, so its "
                f"digest is not known: set {self._key}.stable.digest and run `make up`, or deploy "
                f"the image that has the tag in the registry with `make canary VERSION={version}`"
            )
        try:
            self._check_tag(version, digest)
        except RegistryError as error:
            print(f"the tag {version} is not checked: {error}")
        return digest

    def _published_digest(self, version: str) -> str | None:
        """Digest of a published version. One that the stack knows must be the registry's."""
        known = self._known_digest(version)
        if known is not None:
            self._check_tag(version, known)
            return known
        return published_digest(self._image, version, self._environment)

    def _check_tag(self, version: str, known: str) -> None:
        """Raise :class:`CommandError` if the version's tag is another image than the known one."""
        published = published_digest(self._image, version, self._environment)
        if published not in (None, known):
            raise CommandError(
                f"{self._image}:{version} is {published} in the registry, and {known} in "
                f"{self._stack.name}: another image was pushed with this tag. To deploy the known "
                f"one, set {self._key}.stable to this version and digest and run `make up`"
            )

    def _known_digest(self, version: str) -> str | None:
        """Digest of a version in the stack file, the state, the history or the cluster."""
        for released in (self._service.release.stable, self._service.release.beside):
            if released and released.version == version and released.digest:
                return released.digest
        for track in ("stable", "canary"):
            if running := self._running(track, version):
                return running
        for release in self._stack.releases(self._service.name):
            for released in map(release.get, ("stable", "canary", "idle")):
                if released and released.get("version") == version and released.get("digest"):
                    return released["digest"]
        return self._cluster_digests().get(version)

    def _digest_of_current(self, version: str) -> str | None:
        """Digest of the version beside stable, if it is ``version`` and runs."""
        beside = self._service.release.beside
        if beside is None or beside.version != version:
            return None
        if beside.digest is not None:
            return beside.digest
        # A failed update has outputs too, and its version may be fixed and built again.
        last = next(iter(self._stack.releases(self._service.name)), {})
        deployed = last.get("canary") or last.get("idle") or {}
        return self._running("canary", version) if deployed.get("version") == version else None

    def _running(self, track: str, version: str) -> str | None:
        services: dict[str, Any] = self._stack.outputs().get("services", {})
        running: dict[str, Any] = services.get(self._service.name, {}).get(track) or {}
        if running.get("version") == version and "@" in running.get("image", ""):
            return running["image"].rpartition("@")[2]
        return None


def _stable_version(sections: Mapping[str, Any], service: str) -> str | None:
    release = sections.get("services", {}).get(service, {}).get("release", {})
    return release.get("stable", {}).get("version")
