/**
 * Traces for programs that use OpenTelemetry: their context is sent with each request, and an agent's handler runs in a
 * span in the trace of the request that it works for. Nothing is imported: OpenTelemetry's API shares what the program
 * has registered under a symbol of the global object, so that any library can use it. It may be from any release,
 * so its errors never stop a request or the work of a step.
 */
const API = Symbol.for("opentelemetry.js.api.1");
const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})/;
const SPAN = Symbol.for("OpenTelemetry Context Key SPAN");
const CONSUMER = 4;
const ERROR = 2;

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
  recordException(error: unknown): void;
  setStatus(status: { code: number; message?: string }): void;
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
  return quietly(() => {
    const span = shared()?.context?.active().getValue(SPAN) as Span | undefined;
    const found = span?.spanContext();
    if (!found || /^0*$/.test(found.traceId) || /^0*$/.test(found.spanId)) return {};
    const traceparent = `00-${found.traceId}-${found.spanId}-${(found.traceFlags ?? 0).toString(16).padStart(2, "0")}`;
    if (!TRACEPARENT.test(traceparent)) return {};
    const state = quietly(() => found.traceState?.serialize());
    return { traceparent, ...(typeof state === "string" && /^[ -~]+$/.test(state) ? { tracestate: state } : {}) };
  }) ?? {};
}

/** What it returns; undefined if it throws. */
function quietly<T>(trace: () => T): T | undefined {
  try {
    return trace();
  } catch {
    return undefined;
  }
}

/** Do the work of one delivery in a span of the requester's trace, if there is one and the program traces. */
export async function inTrace<T>(traceparent: string | null | undefined, step: string, work: () => T): Promise<Awaited<T>> {
  let going: Promise<Awaited<T>> | undefined;
  // Exactly once, whether or not the program's context calls it.
  const begin = (): Promise<Awaited<T>> => (going ??= (async (): Promise<Awaited<T>> => await work())());
  const { context, span } = quietly(() => spanOf(traceparent, step)) ?? {};
  if (!context || !span) return begin();
  quietly(() => shared()?.context?.with(context, begin));
  try {
    return await begin();
  } catch (error) {
    quietly(() => span.recordException(error));
    quietly(() => span.setStatus({ code: ERROR, message: error instanceof Error ? error.message : String(error) }));
    throw error;
  } finally {
    quietly(() => span.end());
  }
}

/** A new span in the requester's trace, and the context that it is current in. */
function spanOf(traceparent: string | null | undefined, step: string): { context: Context; span: Span } | undefined {
  const { context, trace } = shared() ?? {};
  const [, traceId, spanId, flags] = TRACEPARENT.exec(traceparent ?? "") ?? [];
  if (!context || !trace || !traceId || !spanId || !flags) return undefined;
  const remote = { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true };
  const parent = context.active().setValue(SPAN, { spanContext: () => remote, isRecording: () => false, end() {} });
  const span = trace.getTracer("signoff").startSpan(`handle ${step}`, { kind: CONSUMER }, parent);
  return { context: parent.setValue(SPAN, span), span };
}
