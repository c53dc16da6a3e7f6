"""``signoff mcp --gateway``: another MCP server, unchanged except that some calls wait for people. Tools, resources
and prompts are listed as the upstream lists them. Only the gateway's own file determines which calls are held, never
what the upstream declares about its tools.
"""

import logging
from typing import Any, Final

import mcp_types as types
from mcp import Client
from mcp.server.lowlevel.server import Server
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler
from mcp.shared.subscriptions import PromptsListChanged, ServerEvent, ToolsListChanged
from pydantic import TypeAdapter, ValidationError

from signoff import __version__
from signoff.client.records import Json
from signoff.mcp.callers import Callers, KeyOfPerson
from signoff.mcp.failures import failing_as_protocol, failing_as_tool
from signoff.mcp.gateway_config import GatewayConfig, Rule
from signoff.mcp.held_calls import HeldCalls, Report
from signoff.mcp.requests import Requests
from signoff.mcp.task_handles import Context
from signoff.mcp.tool_results import Problem, ToolFailed
from signoff.mcp.upstream import Upstream, UpstreamFailed

log = logging.getLogger("signoff.mcp")
_RESULT: Final[TypeAdapter[Any]] = TypeAdapter(types.CallToolResult | types.InputRequiredResult)
_HELD: Final = (
    "Some calls of these tools wait until people have approved them. If a call fails with waiting_for_approval it has "
    "not run: make the same call again to keep waiting."
)


class Gateway:
    """A server in front of ``upstream``. It remembers which clients to notify of changed lists."""

    def __init__(self, config: GatewayConfig, upstream: Upstream, callers: Callers, held: HeldCalls) -> None:
        self._config = config
        self._upstream = upstream
        self._callers = callers
        self._held = held
        self._bus = InMemorySubscriptionBus()
        self._sessions: list[Any] = []
        upstream.on_change = self._changed

    async def build(self) -> Server[Any]:
        """Build the server, with everything that the upstream offers. Raises UpstreamFailed if the upstream does not
        start.
        """
        client = await self._upstream.client()
        offered, instructions = client.server_capabilities, client.instructions
        server: Server[Any] = Server(
            self._config.name,
            version=__version__,
            title=f"{self._config.name} (approved by Signoff)",
            instructions=f"{instructions}\n\n{_HELD}" if instructions else _HELD,
            on_list_tools=self._list_tools,
            on_call_tool=self._call_tool,
            on_subscriptions_listen=self._listen,
        )
        if offered.resources is not None:
            server.add_request_handler("resources/list", types.PaginatedRequestParams, self._list_resources)
            server.add_request_handler(
                "resources/templates/list", types.PaginatedRequestParams, self._list_templates
            )
            server.add_request_handler("resources/read", types.ReadResourceRequestParams, self._read_resource)
        if offered.prompts is not None:
            server.add_request_handler("prompts/list", types.PaginatedRequestParams, self._list_prompts)
            server.add_request_handler("prompts/get", types.GetPromptRequestParams, self._get_prompt)
        if offered.completions is not None:
            server.add_request_handler("completion/complete", types.CompleteRequestParams, self._complete)
        server.add_notification_handler("notifications/initialized", types.NotificationParams, self._opened)
        return server

    # -- forwarded requests

    async def _list_tools(self, ctx: Context, params: Any) -> types.ListToolsResult:
        async def run(client: Client) -> types.ListToolsResult:
            return await client.list_tools(cursor=_cursor(params))

        listed: types.ListToolsResult = await self._passed(run)
        # The upstream's tasks are not offered, because a call that runs as a task could not be held.
        tools = [tool.model_copy(update={"execution": None}) for tool in listed.tools]
        return listed.model_copy(update={"tools": tools, "meta": None})

    async def _list_resources(self, ctx: Context, params: Any) -> Any:
        return await self._passed(lambda client: client.list_resources(cursor=_cursor(params)))

    async def _list_templates(self, ctx: Context, params: Any) -> Any:
        return await self._passed(lambda client: client.list_resource_templates(cursor=_cursor(params)))

    async def _read_resource(self, ctx: Context, params: types.ReadResourceRequestParams) -> Any:
        return await self._passed(lambda client: client.read_resource(params.uri))

    async def _list_prompts(self, ctx: Context, params: Any) -> Any:
        return await self._passed(lambda client: client.list_prompts(cursor=_cursor(params)))

    async def _get_prompt(self, ctx: Context, params: types.GetPromptRequestParams) -> Any:
        return await self._passed(lambda client: client.get_prompt(params.name, params.arguments))

    async def _complete(self, ctx: Context, params: types.CompleteRequestParams) -> Any:
        more = params.context.arguments if params.context else None
        argument = {"name": params.argument.name, "value": params.argument.value}
        return await self._passed(lambda client: client.complete(params.ref, argument, more))

    async def _passed(self, run: Any) -> Any:
        """Forward a request that only reads; it is sent again if the connection was lost."""

        async def twice() -> Any:
            try:
                return await self._upstream.perform(run)
            except UpstreamFailed as failed:
                if not failed.started:
                    raise
                return await self._upstream.perform(run)

        result = await failing_as_protocol(twice)
        # The upstream's metadata names the upstream; ours is added to the response instead.
        return result.model_copy(update={"meta": None})

    # -- calls

    async def _call_tool(self, ctx: Context, params: types.CallToolRequestParams) -> Any:
        rule = self._config.rule(params.name)

        async def report(progress: float, message: str) -> None:
            await ctx.session.report_progress(progress, None, message)

        async def run() -> Any:
            if rule.action == "deny":
                message = f"The gateway's file denies calls of {params.name}."
                raise ToolFailed(Problem(code="denied", message=message, next="Do without it."))
            if rule.action == "pass":
                return await self._run(params, params.arguments, report, held=False)
            return await self._hold(ctx, rule, params, report)

        return await failing_as_tool(run)

    async def _hold(
        self, ctx: Context, rule: Rule, params: types.CallToolRequestParams, report: Report
    ) -> Any:
        if params.request_state is not None or params.input_responses is not None:
            message = "A held call must be complete: it cannot continue an earlier one."
            raise ToolFailed(Problem(code="not_continued", message=message, next="Make a new call."))
        requests = await self._caller(ctx)

        async def run(arguments: Json, report: Report) -> Any:
            return await self._run(params, arguments, report, held=True)

        return await self._held.call(rule, params.name, params.arguments or {}, requests, run, report)

    async def _run(
        self, params: types.CallToolRequestParams, arguments: Json | None, report: Report, *, held: bool
    ) -> Any:
        """Call the tool. A held call contains only what people saw, without other metadata."""
        meta = None if held else _meta(params)
        sent = types.CallToolRequestParams(name=params.name, arguments=arguments, _meta=meta)
        if held:
            await self._passed(lambda client: client.list_tools())  # the upstream may have exited
        else:
            sent.input_responses, sent.request_state = params.input_responses, params.request_state
        request = types.CallToolRequest(params=sent)

        async def progressed(progress: float, total: float | None, message: str | None) -> None:
            await report(progress, message or "running")

        async def run(client: Client) -> Any:
            return await client.session.send_request(request, _RESULT, progress_callback=progressed)

        try:
            result = await self._upstream.perform(run)
        except UpstreamFailed as failed:
            known = (
                "Nothing was called." if not failed.started else "Whether the call took effect is not known."
            )
            again = "The same call asks people again." if held else "Check before you call it again."
            problem = Problem(code="upstream_failed", message=f"{failed} {known}", next=again)
            raise ToolFailed(problem) from failed
        except ValidationError:
            message = "The server behind the gateway did not return a result. The call may have taken effect."
            raise ToolFailed(Problem(code="upstream_failed", message=message, next="Check.")) from None
        if isinstance(result, types.InputRequiredResult) and held:
            message = "The tool asks for more input, which a held call cannot give."
            raise ToolFailed(Problem(code="input_required", message=message, next="Do without it."))
        return result.model_copy(update={"meta": _without_stamp(result.meta)})

    async def _caller(self, ctx: Context) -> Requests:
        try:
            return await self._callers.of(ctx.request)
        except KeyOfPerson as error:
            raise ToolFailed(Problem(code="key_of_person", message=str(error))) from None

    # -- changed lists

    async def _listen(
        self, ctx: Context, params: types.SubscriptionsListenRequestParams
    ) -> types.SubscriptionsListenResult:
        # Single resources are not watched, so updates of them are not offered.
        wanted = params.notifications.model_copy(update={"resource_subscriptions": None})
        return await ListenHandler(self._bus)(ctx, params.model_copy(update={"notifications": wanted}))

    async def _opened(self, ctx: Context, params: Any) -> None:
        self._sessions.append(ctx.session)
        del self._sessions[:-_SESSIONS]

    async def _changed(self, event: ServerEvent) -> None:
        await self._bus.publish(event)
        for session in list(self._sessions):
            try:
                if isinstance(event, ToolsListChanged):
                    await session.send_tool_list_changed()
                elif isinstance(event, PromptsListChanged):
                    await session.send_prompt_list_changed()
                else:
                    await session.send_resource_list_changed()
            except Exception:  # this client has disconnected
                self._sessions.remove(session)


_SESSIONS: Final = 1000
_OWN: Final = ("progressToken", "progress_token")
_RESERVED: Final = "io.modelcontextprotocol/"


def _cursor(params: types.PaginatedRequestParams | None) -> str | None:
    return params.cursor if params is not None else None


def _meta(params: types.CallToolRequestParams) -> Any:
    """The metadata of a forwarded call, without what belongs to this connection."""
    meta: dict[str, Any] = dict(params.meta or {})
    kept = {
        name: value for name, value in meta.items() if name not in _OWN and not name.startswith(_RESERVED)
    }
    return kept or None


def _without_stamp(meta: Any) -> Any:
    kept = {name: value for name, value in dict(meta or {}).items() if not name.startswith(_RESERVED)}
    return kept or None
