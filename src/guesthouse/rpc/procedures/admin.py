"""Procedures for the administration program: servers, clients, limits and logs of a daemon.

Source: libvirt's `admin/admin_protocol.x`.
"""

from __future__ import annotations

from guesthouse.rpc.procedure import ADMIN_PROGRAM, Family
from guesthouse.rpc.types import TypedParam
from guesthouse.rpc.xdr import Annotated, Hyper, Struct, UHyper, UInt

#: Longest lists.
SERVER_LIST_MAX = 16384
SERVER_THREADPOOL_PARAMETERS_MAX = 32
CLIENT_LIST_MAX = 16384
CLIENT_INFO_PARAMETERS_MAX = 64
SERVER_CLIENT_LIMITS_MAX = 32


class ConnectOpenArgs(Struct):
    """Arguments of virAdmConnectOpen."""

    flags: UInt = 0


class ConnectGetLibVersionRet(Struct):
    """Reply of virAdmConnectGetLibVersion."""

    libVer: UHyper


class ConnectListServersArgs(Struct):
    """Arguments of virAdmConnectListServers."""

    need_results: UInt
    flags: UInt = 0


class NonnullServer(Struct):
    """A server of the daemon, identified by name."""

    name: str


class ConnectListServersRet(Struct):
    """Reply of virAdmConnectListServers."""

    servers: Annotated[list[NonnullServer], SERVER_LIST_MAX]
    ret: UInt


class ConnectLookupServerArgs(Struct):
    """Arguments of virAdmConnectLookupServer."""

    name: str
    flags: UInt = 0


class ConnectLookupServerRet(Struct):
    """Reply of virAdmConnectLookupServer."""

    srv: NonnullServer


class ServerGetThreadpoolParametersArgs(Struct):
    """Arguments of virAdmServerGetThreadPoolParameters."""

    srv: NonnullServer
    flags: UInt = 0


class ServerGetThreadpoolParametersRet(Struct):
    """Reply of virAdmServerGetThreadPoolParameters."""

    params: Annotated[list[TypedParam], SERVER_THREADPOOL_PARAMETERS_MAX]


class ServerSetThreadpoolParametersArgs(Struct):
    """Arguments of virAdmServerSetThreadPoolParameters."""

    srv: NonnullServer
    params: Annotated[list[TypedParam], SERVER_THREADPOOL_PARAMETERS_MAX]
    flags: UInt = 0


class ServerListClientsArgs(Struct):
    """Arguments of virAdmServerListClients."""

    srv: NonnullServer
    need_results: UInt
    flags: UInt = 0


class NonnullClient(Struct):
    """A client of a server, identified by number."""

    srv: NonnullServer
    id: UHyper
    timestamp: Hyper
    transport: UInt


class ServerListClientsRet(Struct):
    """Reply of virAdmServerListClients."""

    clients: Annotated[list[NonnullClient], CLIENT_LIST_MAX]
    ret: UInt


class ServerLookupClientArgs(Struct):
    """Arguments of virAdmServerLookupClient."""

    srv: NonnullServer
    id: UHyper
    flags: UInt = 0


class ServerLookupClientRet(Struct):
    """Reply of virAdmServerLookupClient."""

    clnt: NonnullClient


class ClientGetInfoArgs(Struct):
    """Arguments of virAdmClientGetInfo."""

    clnt: NonnullClient
    flags: UInt = 0


class ClientGetInfoRet(Struct):
    """Reply of virAdmClientGetInfo."""

    params: Annotated[list[TypedParam], CLIENT_INFO_PARAMETERS_MAX]


class ClientCloseArgs(Struct):
    """Arguments of virAdmClientClose."""

    clnt: NonnullClient
    flags: UInt = 0


class ServerGetClientLimitsArgs(Struct):
    """Arguments of virAdmServerGetClientLimits."""

    srv: NonnullServer
    flags: UInt = 0


class ServerGetClientLimitsRet(Struct):
    """Reply of virAdmServerGetClientLimits."""

    params: Annotated[list[TypedParam], SERVER_CLIENT_LIMITS_MAX]


class ServerSetClientLimitsArgs(Struct):
    """Arguments of virAdmServerSetClientLimits."""

    srv: NonnullServer
    params: Annotated[list[TypedParam], SERVER_CLIENT_LIMITS_MAX]
    flags: UInt = 0


class ConnectGetLoggingOutputsArgs(Struct):
    """Arguments of virAdmConnectGetLoggingOutputs."""

    flags: UInt = 0


class ConnectGetLoggingOutputsRet(Struct):
    """Reply of virAdmConnectGetLoggingOutputs."""

    outputs: str
    noutputs: UInt


class ConnectGetLoggingFiltersArgs(Struct):
    """Arguments of virAdmConnectGetLoggingFilters."""

    flags: UInt = 0


class ConnectGetLoggingFiltersRet(Struct):
    """Reply of virAdmConnectGetLoggingFilters."""

    filters: str | None
    nfilters: UInt


class ConnectSetLoggingOutputsArgs(Struct):
    """Arguments of virAdmConnectSetLoggingOutputs."""

    outputs: str | None = None
    flags: UInt = 0


class ConnectSetLoggingFiltersArgs(Struct):
    """Arguments of virAdmConnectSetLoggingFilters."""

    filters: str | None = None
    flags: UInt = 0


class ServerUpdateTlsFilesArgs(Struct):
    """Arguments of virAdmServerUpdateTlsFiles."""

    srv: NonnullServer
    flags: UInt = 0


class ConnectSetDaemonTimeoutArgs(Struct):
    """Arguments of virAdmConnectSetDaemonTimeout."""

    timeout: UInt
    flags: UInt = 0


class ConnectDaemonShutdownArgs(Struct):
    """Arguments of virAdmConnectDaemonShutdown."""

    flags: UInt = 0


_family = Family(ADMIN_PROGRAM)
call = _family.call

CONNECT_OPEN = call(1, "CONNECT_OPEN", ConnectOpenArgs, None, "2.0.0")
CONNECT_CLOSE = call(2, "CONNECT_CLOSE", None, None, "2.0.0")
CONNECT_GET_LIB_VERSION = call(3, "CONNECT_GET_LIB_VERSION", None, ConnectGetLibVersionRet, "2.0.0")
CONNECT_LIST_SERVERS = call(4, "CONNECT_LIST_SERVERS", ConnectListServersArgs, ConnectListServersRet, "2.0.0")
CONNECT_LOOKUP_SERVER = call(5, "CONNECT_LOOKUP_SERVER", ConnectLookupServerArgs, ConnectLookupServerRet, "2.0.0")
SERVER_GET_THREADPOOL_PARAMETERS = call(
    6, "SERVER_GET_THREADPOOL_PARAMETERS", ServerGetThreadpoolParametersArgs, ServerGetThreadpoolParametersRet, "2.0.0"
)
SERVER_SET_THREADPOOL_PARAMETERS = call(
    7, "SERVER_SET_THREADPOOL_PARAMETERS", ServerSetThreadpoolParametersArgs, None, "2.0.0"
)
SERVER_LIST_CLIENTS = call(8, "SERVER_LIST_CLIENTS", ServerListClientsArgs, ServerListClientsRet, "2.0.0")
SERVER_LOOKUP_CLIENT = call(9, "SERVER_LOOKUP_CLIENT", ServerLookupClientArgs, ServerLookupClientRet, "2.0.0")
CLIENT_GET_INFO = call(10, "CLIENT_GET_INFO", ClientGetInfoArgs, ClientGetInfoRet, "2.0.0")
CLIENT_CLOSE = call(11, "CLIENT_CLOSE", ClientCloseArgs, None, "2.0.0")
SERVER_GET_CLIENT_LIMITS = call(
    12, "SERVER_GET_CLIENT_LIMITS", ServerGetClientLimitsArgs, ServerGetClientLimitsRet, "2.0.0"
)
SERVER_SET_CLIENT_LIMITS = call(13, "SERVER_SET_CLIENT_LIMITS", ServerSetClientLimitsArgs, None, "2.0.0")
CONNECT_GET_LOGGING_OUTPUTS = call(
    14, "CONNECT_GET_LOGGING_OUTPUTS", ConnectGetLoggingOutputsArgs, ConnectGetLoggingOutputsRet, "3.0.0"
)
CONNECT_GET_LOGGING_FILTERS = call(
    15, "CONNECT_GET_LOGGING_FILTERS", ConnectGetLoggingFiltersArgs, ConnectGetLoggingFiltersRet, "3.0.0"
)
CONNECT_SET_LOGGING_OUTPUTS = call(16, "CONNECT_SET_LOGGING_OUTPUTS", ConnectSetLoggingOutputsArgs, None, "3.0.0")
CONNECT_SET_LOGGING_FILTERS = call(17, "CONNECT_SET_LOGGING_FILTERS", ConnectSetLoggingFiltersArgs, None, "3.0.0")
SERVER_UPDATE_TLS_FILES = call(18, "SERVER_UPDATE_TLS_FILES", ServerUpdateTlsFilesArgs, None, "2.0.0")
CONNECT_SET_DAEMON_TIMEOUT = call(19, "CONNECT_SET_DAEMON_TIMEOUT", ConnectSetDaemonTimeoutArgs, None, "8.6.0")
CONNECT_DAEMON_SHUTDOWN = call(20, "CONNECT_DAEMON_SHUTDOWN", ConnectDaemonShutdownArgs, None, "11.2.0")
