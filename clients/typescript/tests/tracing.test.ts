/** A program that uses OpenTelemetry: its spans go with its requests, and an agent works in the trace of the requester. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { context, createTraceState, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-node";
import { Agent, Client } from "@signoff/client";
import { Live, ROOT } from "./processes.js";

const { inTrace } = (await import(join(ROOT, "clients/typescript/dist/tracing.js"))) as {
  inTrace: <T>(traceparent: string, step: string, work: () => T) => Promise<Awaited<T>>;
};

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

test("no trace header is sent without OpenTelemetry or a span", async () => {
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

const BROKEN = { code: "broken" };
const broken = (): never => {
  throw BROKEN;
};

test("an invalid or throwing span does not fail a request", async () => {
  const whole = { traceId: "a".repeat(32), spanId: "b".repeat(16), traceFlags: 1 };
  const parent = `00-${"a".repeat(32)}-${"b".repeat(16)}`;
  const odd: [object, string | undefined][] = [
    [{ ...whole, traceFlags: undefined }, `${parent}-00`],
    [{ ...whole, traceState: {} }, `${parent}-01`],
    [{ ...whole, traceState: { serialize: broken } }, `${parent}-01`],
    [{ ...whole, traceState: { serialize: () => "a=\nb" } }, `${parent}-01`],
    [{ ...whole, traceId: 7 }, undefined],
    [{ ...whole, spanId: "x\r\n" }, undefined],
    [{ ...whole, traceFlags: { toString: broken } }, undefined],
  ];
  for (const [spanContext, wanted] of odd) {
    const found = await context.with(trace.setSpan(ROOT_CONTEXT, { spanContext: () => spanContext } as any), headers);
    assert.deepEqual([found["traceparent"], found["tracestate"]], [wanted, undefined]);
  }
  for (const span of [{ spanContext: broken }, {}, 7]) {
    assert.equal((await context.with(trace.setSpan(ROOT_CONTEXT, span as any), headers))["traceparent"], undefined);
  }
});

test("a handler runs once although tracing fails", async () => {
  const key = Symbol.for("opentelemetry.js.api.1");
  const registered = (globalThis as any)[key];
  const traceparent = `00-${"a".repeat(32)}-${"b".repeat(16)}-01`;
  const never = { recordException: broken, setStatus: broken, end: broken, spanContext: broken };
  const active = (): object => ({ getValue: broken, setValue: active });
  const good = { active, with: (_: unknown, run: () => unknown) => run() };
  const shapes: object[] = [
    { context: { ...good, active: broken }, trace: {} },
    { context: good, trace: { getTracer: broken } },
    { context: { ...good, with: broken }, trace: { getTracer: () => ({ startSpan: () => never }) } },
    { context: { ...good, with: () => undefined }, trace: { getTracer: () => ({ startSpan: () => ({}) }) } },
    { context: { ...good, with: (_: unknown, run: () => unknown) => (run(), broken()) }, trace: { getTracer: () => ({ startSpan: () => never }) } },
  ];
  try {
    for (const shape of shapes) {
      (globalThis as any)[key] = shape;
      let times = 0;
      assert.equal(await inTrace(traceparent, "check", async () => (times += 1, "done")), "done");
      await assert.rejects(inTrace(traceparent, "check", () => (times += 1, broken())), (error) => error === BROKEN);
      assert.equal(times, 2);
    }
  } finally {
    (globalThis as any)[key] = registered;
  }
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
  const failing = { intent_type: type, payload: { fails: true } };
  const failed = await client.waitFor(await context.with(trace.setSpan(ROOT_CONTEXT, requester), () => client.sendIntent(failing)), { timeoutSeconds: 30 });
  assert.equal(failed.status, "FAILED");
  agent.stop();
  await serving;
  const [work, failure, ...more] = spans.getFinishedSpans().filter((span) => span.name === "handle check");
  assert.deepEqual([work?.status, work?.events], [{ code: SpanStatusCode.UNSET }, []]);
  assert.deepEqual([failure?.status, failure?.events[0]?.name], [{ code: SpanStatusCode.ERROR, message: "no" }, "exception"]);
  assert.deepEqual([work?.kind, work?.parentSpanContext?.spanId, work?.spanContext().spanId], [SpanKind.CONSUMER, spanId, result?.["spanId"]]);
  assert.deepEqual(more, []); // a request without a trace has none here
});
