/** A program that uses OpenTelemetry: its spans go with its requests, and an agent works in the trace of the requester. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { context, createTraceState, ROOT_CONTEXT, SpanKind, trace } from "@opentelemetry/api";
import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-node";
import { Agent, Client } from "@signoff/client";
import { Live } from "./processes.js";

const QUIET = { info() {}, warn() {}, error() {} };
const spans = new InMemorySpanExporter();
const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] });
const tracer = trace.getTracer("test");
let live: Live;
let client: Client;
let sent: Record<string, string>[] = [];

before(async () => {
  live = await Live.start();
  const fetching = (input: string, init: RequestInit): Promise<Response> => {
    sent.push(init.headers as Record<string, string>);
    return fetch(input, init);
  };
  client = new Client({ url: live.url, apiKey: live.ownerKey, fetch: fetching });
});
after(() => live.end());

async function headers(): Promise<Record<string, string>> {
  sent = [];
  await client.me();
  return sent[0]!;
}

test("without OpenTelemetry, or a span, nothing is sent", async () => {
  assert.equal((await headers())["traceparent"], undefined);
  provider.register();
  assert.equal((await headers())["traceparent"], undefined);
  const invalid = { traceId: "0".repeat(32), spanId: "0".repeat(16), traceFlags: 0 };
  assert.equal((await context.with(trace.setSpanContext(ROOT_CONTEXT, invalid), headers))["traceparent"], undefined);
});

test("a request carries the current span", async () => {
  const remote = { traceId: "a".repeat(32), spanId: "b".repeat(16), traceFlags: 1, traceState: createTraceState("vendor=1,other=2") };
  const found = await context.with(trace.setSpanContext(ROOT_CONTEXT, remote), headers);
  assert.deepEqual([found["traceparent"], found["tracestate"]], [`00-${"a".repeat(32)}-${"b".repeat(16)}-01`, "vendor=1,other=2"]);
});

test("an agent works in a span of the requester's trace", { timeout: 60_000 }, async () => {
  const type = "intent.traced.v1";
  await client.applyWorkflow({ workflow: "traced", intent_type: type, steps: [{ id: "check", agent: "tracer" }] } as any);
  const agent = new Agent("tracer", { client, logger: QUIET });
  agent.on(type, async (delivery) => {
    await new Promise((resolve) => setImmediate(resolve));
    if (delivery.payload.fails) throw new Error("no");
    return { ...trace.getActiveSpan()?.spanContext(), parent: delivery.traceparent };
  });
  const serving = agent.serve();
  const requester = tracer.startSpan("request");
  const { traceId, spanId } = requester.spanContext();
  const intentId = await context.with(trace.setSpan(ROOT_CONTEXT, requester), () => client.sendIntent({ intent_type: type, payload: {} }));
  const { result } = await client.waitFor(intentId, { timeoutSeconds: 30 });
  assert.deepEqual([result?.["traceId"], result?.["parent"]], [traceId, `00-${traceId}-${spanId}-01`]);
  await client.waitFor(await client.sendIntent({ intent_type: type, payload: {} }), { timeoutSeconds: 30 });
  agent.stop();
  await serving;
  const [work, ...more] = spans.getFinishedSpans().filter((span) => span.name === "handle check");
  assert.deepEqual([work?.kind, work?.parentSpanContext?.spanId, work?.spanContext().spanId], [SpanKind.CONSUMER, spanId, result?.["spanId"]]);
  assert.deepEqual(more, []); // a request without a trace has none here
});
