"""What every resource provider has in common; each provider derives from `Provider`."""

import sys
import threading
from typing import Any, ClassVar

import grpc
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from plugins.server import Engine, PluginError, engine_address, serve
from plugins.values import from_struct


class Provider(provider_pb2_grpc.ResourceProviderServicer):
    """The calls that set a provider up and end it.

    A subclass adds `Check`, `Diff`, `Create`, `Read`, `Update` and `Delete` with the protocol's own
    messages, and raises `PluginError` for what the user should read. There are no functions and no
    components; what else it leaves out is answered with "not implemented".
    """

    accept_secrets: ClassVar[bool] = True
    """Whether inputs come as `Secret`. If not, they come bare, and the engine makes secret every
    output that has the name of a secret input."""

    def __init__(self, version: str, address: str = "") -> None:
        self.version = version
        self.engine = Engine(address)
        self.cancelled = threading.Event()
        """Set when the user has interrupted the update; whatever waits must then give up."""

    def Handshake(
        self, request: provider_pb2.ProviderHandshakeRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ProviderHandshakeResponse:
        self.engine = Engine(request.engine_address)
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=self.accept_secrets)

    def Attach(self, request: plugin_pb2.PluginAttach, context: grpc.ServicerContext) -> Empty:
        self.engine = Engine(request.address)
        return Empty()

    def GetPluginInfo(self, request: Empty, context: grpc.ServicerContext) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=self.version)

    def CheckConfig(
        self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CheckResponse:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(
        self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext
    ) -> provider_pb2.DiffResponse:
        changed = changed_keys(from_struct(request.old_inputs), from_struct(request.news))
        # What begins with two underscores is what a provider notes for itself.
        changed = [key for key in changed if not key.startswith("__")]
        return diff_response(changed, replaces=[])

    def Configure(
        self, request: provider_pb2.ConfigureRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ConfigureResponse:
        return provider_pb2.ConfigureResponse(
            acceptSecrets=self.accept_secrets, supportsPreview=True
        )

    def Invoke(
        self, request: provider_pb2.InvokeRequest, context: grpc.ServicerContext
    ) -> provider_pb2.InvokeResponse:
        raise _missing(request.tok)

    def Call(
        self, request: provider_pb2.CallRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CallResponse:
        raise _missing(request.tok)

    def Construct(
        self, request: provider_pb2.ConstructRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ConstructResponse:
        raise _missing(request.type)

    def Cancel(self, request: Empty, context: grpc.ServicerContext) -> Empty:
        self.cancel()
        return Empty()

    def cancel(self) -> None:
        """End what is in progress: the user has interrupted the update, or the engine is gone."""
        self.cancelled.set()

    @classmethod
    def main(cls, version: str) -> None:
        """Run this provider as the plugin process that the engine has started."""
        provider = cls(version, engine_address(sys.argv[1:]))
        serve(
            lambda server: provider_pb2_grpc.add_ResourceProviderServicer_to_server(
                provider, server
            ),
            provider.cancel,
        )


def _missing(token: str) -> PluginError:
    return PluginError(
        f"{token} is not in this plugin, which stands in for Pulumi's own and has resources only"
    )


def changed_keys(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """The names of the properties whose values differ, in order."""
    missing = object()
    return sorted(
        key for key in old.keys() | new.keys() if old.get(key, missing) != new.get(key, missing)
    )


def diff_response(changed: list[str], replaces: list[str]) -> provider_pb2.DiffResponse:
    """The answer to a diff: what has changed, and what of it needs a new resource."""
    some = provider_pb2.DiffResponse.DIFF_SOME
    none = provider_pb2.DiffResponse.DIFF_NONE
    return provider_pb2.DiffResponse(
        changes=some if changed else none, diffs=changed, replaces=replaces
    )
