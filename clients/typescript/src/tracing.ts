/**
 * Traces of a program that uses OpenTelemetry: its context goes with each request, and an agent's handler runs in a span
 * of the trace of the request that it works for. Nothing is imported: OpenTelemetry's API shares what the program has
 * registered under a symbol of the global object, so that any library may use it.
 */
const API = Symbol.for("opentelemetry.js.api.1");
const SPAN = Symbol.for("OpenTelemetry Context Key SPAN");
const CONSUMER = 4;

interface Context {
  getValue(key: symbol): unknown;
  setValue(key: symbol, value: unknown): Context;
}
interface SpanContext {
  readonly traceId: string;
  readonly spanId: string;
  readonly traceFlags: number;
  readonly traceState?: { serialize(): string };
}
interface Span {
  spanContext(): SpanContext;
  end(): void;
}
interface Shared {
  readonly context?: { active(): Context; with<T>(context: Context, run: () => T): T };
  readonly trace?: { getTracer(name: string): { startSpan(name: string, options: object, parent: Context): Span } };
}

function shared(): Shared | undefined {
  return (globalThis as { [API]?: Shared })[API];
}

/** `traceparent`, and `tracestate` if it has one, of the current span; nothing if there is none. */
export function traceHeaders(): Record<string, string> {
  const span = shared()?.context?.active().getValue(SPAN) as Span | undefined;
  const found = span?.spanContext();
  if (!found || /^0*$/.test(found.traceId) || /^0*$/.test(found.spanId)) return {};
  const flags = found.traceFlags.toString(16).padStart(2, "0");
  const state = found.traceState?.serialize();
  return { traceparent: `00-${found.traceId}-${found.spanId}-${flags}`, ...(state ? { tracestate: state } : {}) };
}

/** Do the work of one delivery in a span of the requester's trace, if there is one and the program traces. */
export async function inTrace<T>(traceparent: string | null | undefined, step: string, work: () => T): Promise<Awaited<T>> {
  const { context, trace } = shared() ?? {};
  const [, traceId, spanId, flags] = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})/.exec(traceparent ?? "") ?? [];
  if (!context || !trace || !traceId || !spanId || !flags) return await work();
  const remote = { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true };
  const parent = context.active().setValue(SPAN, { spanContext: () => remote, isRecording: () => false, end() {} });
  const span = trace.getTracer("signoff").startSpan(`handle ${step}`, { kind: CONSUMER }, parent);
  try {
    return await context.with(parent.setValue(SPAN, span), work);
  } finally {
    span.end();
  }
}
