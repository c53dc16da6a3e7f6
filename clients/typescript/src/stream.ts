/**
 * Follows an intent: every event once, in order, across lost connections and restarts of the server.
 *
 * The position in the history is the last event's `seq`; a new connection asks for the events after it. An event that
 * was cut off is read again in full on the next connection.
 */
import { type Call, inner, type Json, listOf, sameSubject, segment } from "./calls.js";
import { ConnectionFailed, isObject, mayPass, notSignoff, parsed, refusal, type SignoffError, WaitTimeout, WrongResponse } from "./errors.js";
import { type Event, event, type Intent, intent, type Result, result } from "./records.js";
import { Backoff, Deadline, FIRST_PAUSE, now, sleep } from "./time.js";
import type { Transport } from "./transport.js";

const HOLD = 30;
const SHORTEST_HOLD = 1;
const LARGEST_EVENT = 4 * 1024 * 1024;

/** One server-sent event. */
export interface Frame {
  readonly event: string;
  readonly data: string;
}

/** Bytes in, frames out (WHATWG server-sent events): any chunking, any line ending, comments dropped. */
export class SseParser {
  readonly #decoder: TextDecoder = new TextDecoder();
  #line = "";
  #afterCr = false;
  #event = "";
  #data: string[] = [];
  #size = 0;

  /** The frames that this chunk completes; RangeError if one exceeds 4 MiB. */
  feed(chunk: Uint8Array): Frame[] {
    const text = this.#decoder.decode(chunk, { stream: true });
    const found: Frame[] = [];
    let start = 0;
    for (let at = 0; at < text.length; at++) {
      const letter = text[at];
      if (letter !== "\n" && letter !== "\r") continue;
      // A CR LF is one line ending, even if it is split between two chunks.
      const half = letter === "\n" && at === start && this.#afterCr;
      if (!half) {
        const frame = this.#ended(this.#line + text.slice(start, at));
        if (frame) found.push(frame);
        this.#line = "";
      }
      this.#afterCr = letter === "\r";
      start = at + 1;
    }
    if (start < text.length) {
      this.#afterCr = false;
      this.#line += text.slice(start);
    }
    if (this.#size + this.#line.length > LARGEST_EVENT) throw new RangeError("an event in the stream is too large");
    return found;
  }

  #ended(line: string): Frame | undefined {
    if (!line) {
      const frame = this.#data.length ? { event: this.#event, data: this.#data.join("\n") } : undefined;
      this.#event = "";
      this.#data = [];
      this.#size = 0;
      return frame;
    }
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "data") {
      this.#data.push(value);
      this.#size += value.length;
    } else if (name === "event") {
      this.#event = value;
    }
    return undefined;
  }
}

export function getIntent(intentId: string): Call<Intent> {
  return { method: "GET", path: `/v1/intents/${segment(intentId)}`, read: (answer) => intent(inner(answer, "intent")) };
}

export function getResult(intentId: string): Call<Result> {
  return { method: "GET", path: `/v1/intents/${segment(intentId)}`, read: (answer) => result(inner(answer, "intent")) };
}

export function getEvents(intentId: string, since: number): Call<Event[]> {
  const path = `/v1/intents/${segment(intentId)}/events`;
  return { method: "GET", path, query: { since }, read: (answer) => listOf(answer, "events", event) };
}

/** One intent being followed. */
export class Follower {
  readonly #transport: Transport;
  readonly #intentId: string;
  readonly #end: Deadline;
  readonly #signal: AbortSignal | undefined;
  readonly #backoff: Backoff = new Backoff();
  #since: number;
  #status = "";
  #trouble: SignoffError | undefined;

  constructor(transport: Transport, intentId: string, since: number, timeout: number | undefined, signal: AbortSignal | undefined) {
    segment(intentId);
    this.#transport = transport;
    this.#intentId = intentId;
    this.#since = since;
    this.#end = new Deadline(timeout);
    this.#signal = signal;
  }

  /** Every event after `since`, up to a final one; WaitTimeout when the time is up. */
  async *follow(): AsyncGenerator<Event, void, undefined> {
    const late = this.#since > 0 ? this.#since : undefined;
    for (;;) {
      const before = this.#since;
      const began = now();
      let pause: number;
      try {
        if (yield* this.#connection()) return;
        pause = this.#rested(before, began);
        if (this.#trouble === undefined && this.#since === late && (yield* this.#rest())) return;
      } catch (failure) {
        if (!mayPass(failure)) throw failure;
        // Being cut off by our own deadline is not a failure.
        const ours = failure instanceof ConnectionFailed && failure.timedOut && this.#end.left <= 0;
        if (!ours) this.#trouble = failure;
        pause = this.#backoff.after(failure);
      }
      this.#check();
      if (pause > 0) {
        await sleep(Math.min(pause, this.#end.left), this.#signal);
        this.#check();
      }
    }
  }

  /** Follow the intent to its end and read its result. If no time is left, only read it. */
  async result(): Promise<Result> {
    if (this.#end.left > 0) {
      for await (const _ of this.follow());
    }
    for (;;) {
      // A finished intent can be read even if the time to wait for it has just passed.
      const found = await this.#fetch(getResult(this.#intentId), Math.max(this.#end.left, 1));
      this.#status = found.status;
      if (found.final) {
        const whole = found.parent_intent_id;
        if (!whole) return found;
        // A step can end before its request does.
        return new Follower(this.#transport, whole, 0, this.#end.left, this.#signal).result();
      }
      this.#check();
      await sleep(Math.min(FIRST_PAUSE, this.#end.left), this.#signal);
    }
  }

  /** Read one connection to its end; returns whether the final event arrived. */
  async *#connection(): AsyncGenerator<Event, boolean, undefined> {
    const hold = Math.max(1, Math.ceil(Math.min(this.#end.left, HOLD)));
    const limit = (): number => Math.min(Math.max(this.#end.left, 0.001), hold + this.#transport.limits.timeout);
    const path = `/v1/intents/${segment(this.#intentId)}/events/stream`;
    const call = { method: "GET", path, query: { since: this.#since, wait_seconds: hold }, read: () => undefined };
    const stream = await this.#transport.open(call, limit(), this.#signal);
    try {
      const { status, headers, body } = stream.reply;
      if (status !== 200) throw refusal(stream.reply);
      if (!headers.get("content-type")?.startsWith("text/event-stream")) throw notSignoff(status, body);
      this.#trouble = undefined;
      const parser = new SseParser();
      for (let chunk; (chunk = await stream.read(limit())); ) {
        for (const frame of frames(parser, chunk)) {
          const found = this.#event(frame);
          if (found === undefined || found.seq <= this.#since) continue;
          this.#progress(found);
          yield found;
          if (found.final) return true;
        }
        this.#check();
      }
      return false;
    } finally {
      stream.close();
    }
  }

  /**
   * Whether the intent was final when we began: otherwise a caller that connects late may wait for an event that it
   * already has.
   */
  async *#rest(): AsyncGenerator<Event, boolean, undefined> {
    if (!(await this.#fetch(getIntent(this.#intentId), this.#end.left)).final) return false;
    for (const found of await this.#fetch(getEvents(this.#intentId, this.#since), this.#end.left)) {
      this.#progress(found);
      yield found;
    }
    return true;
  }

  async #fetch<T>(call: Call<T>, seconds: number): Promise<T> {
    try {
      return await this.#transport.persist(call, seconds, this.#signal);
    } catch (failure) {
      if (!mayPass(failure)) throw failure;
      this.#trouble = failure;
      throw this.#late();
    }
  }

  #event(frame: Frame): Event | undefined {
    if (!frame.event.startsWith("intent.")) return undefined;
    const raw: unknown = parsed(frame.data);
    if (!isObject(raw) || !Number.isInteger(raw["seq"]) || raw["seq"] <= 0) {
      throw notSignoff(200, "an event that cannot be read");
    }
    const said: unknown = (raw as Json)["intent_id"];
    if (typeof said === "string" && said && !sameSubject(said, this.#intentId)) {
      throw new WrongResponse(`Following intent ${this.#intentId}, received an event of ${said}.`);
    }
    return event(raw);
  }

  #progress(found: Event): void {
    this.#backoff.reset();
    this.#since = found.seq;
    this.#status = found.status || this.#status;
  }

  /** How long to pause after a normal end of the stream: not at all, unless it ended immediately and without events. */
  #rested(before: number, began: number): number {
    if (this.#since === before && now() - began < SHORTEST_HOLD) return this.#backoff.after();
    this.#backoff.reset();
    return 0;
  }

  #check(): void {
    if (this.#end.left <= 0) throw this.#late();
  }

  #late(): WaitTimeout {
    const seen = this.#status ? `it was ${this.#status} when last seen` : "no event was received";
    const told = this.#trouble;
    const why = told ? ` The event stream failed: ${told.message}` : "";
    return new WaitTimeout(
      `No result of intent ${this.#intentId} in time: ${seen}. It is still running; wait for it again.${why}`,
      { intentId: this.#intentId, status: this.#status, since: this.#since },
      told ? { cause: told } : {},
    );
  }
}

function frames(parser: SseParser, chunk: Uint8Array): Frame[] {
  try {
    return parser.feed(chunk);
  } catch {
    throw notSignoff(200, "an event without an end");
  }
}
