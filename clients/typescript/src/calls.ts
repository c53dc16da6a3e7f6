/**
 * Every request as a value: method, path, query, body, how to read the response, and whether it is safe to repeat.
 *
 * A write carries an Idempotency-Key, created once per call, so that a retry after a lost response does not repeat the
 * effect; calls that are harmless when repeated are marked `repeatable`.
 */
import { isObject, WrongResponse } from "./errors.js";

export type Json = Record<string, any>;
export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Call<T> {
  readonly method: string;
  readonly path: string;
  readonly read: (answer: Json) => T;
  readonly query?: Query;
  readonly body?: object;
  /** Its Idempotency-Key. */
  readonly key?: string;
  /** Harmless to send twice even without a key. */
  readonly repeatable?: boolean;
  /** Seconds for which the server may delay the response, in addition to the usual timeout. */
  readonly wait?: number;
}

/** One page of a list. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly nextCursor: string | undefined;
}

const ID = "[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}";
const ASKED = new RegExp(`/v1/(intents|tasks|deliveries)/(${ID})(?:/|$)`);
const WHOLE_ID = new RegExp(`^${ID}$`);
// The response to a retry is about the new intent, which names the original.
const COPIED = ["retry_of", "rerun_of"];
const NAMES: Readonly<Record<string, readonly string[]>> = {
  intents: ["intent_id"],
  tasks: ["task_id", "intent_id"],
  deliveries: ["intent_id"],
};

/** Whether the request may be sent again if its response was lost. */
export function isSafe(call: Call<unknown>): boolean {
  return call.repeatable === true || call.method === "GET" || call.key !== undefined;
}

/** Throw WrongResponse if the response names another intent, task or delivery than the path. */
export function check(call: Call<unknown>, answer: Json): void {
  const [, kind = "", wanted = ""] = ASKED.exec(call.path) ?? [];
  if (!kind) return;
  const names = /\/(retry|rerun)$/.test(call.path) ? COPIED : (NAMES[kind] ?? []);
  const parts = [answer, answer["intent"], answer["task"], answer["events"]?.[0], answer["messages"]?.[0]];
  for (const part of parts) {
    if (!isObject(part)) continue;
    const name = names.find((one) => part[one]);
    const said: unknown = name === undefined ? undefined : part[name];
    if (typeof said !== "string" || !WHOLE_ID.test(said)) continue;
    const otherStep = name === "task_id" && !wanted.endsWith("0000") && said.toLowerCase() !== wanted.toLowerCase();
    if (!sameSubject(said, wanted) || otherStep) {
      throw new WrongResponse(`Asked for ${kind.replace(/s$/, "")} ${wanted}, got a response for ${said}.`);
    }
  }
}

/** Whether two ids name the same intent, or steps of it: they differ only in the last four digits. */
export function sameSubject(said: string, asked: string): boolean {
  return said.length === asked.length && said.slice(0, -4).toLowerCase() === asked.slice(0, -4).toLowerCase();
}

/** A body as JSON; TypeError or RangeError for values that JSON cannot express. */
export function encoded(body: object): string {
  return JSON.stringify(body, (name, value: unknown) => {
    if (typeof value === "number" && !Number.isFinite(value)) {
      throw new RangeError(`${name || "a value"} is ${value}, which JSON cannot express`);
    }
    if (typeof value === "function" || typeof value === "symbol") {
      throw new TypeError(`${name || "a value"} is a ${typeof value}, which JSON cannot express`);
    }
    // A Map, a Set, an Error, or a Promise that was not awaited: people would decide on {}.
    if (isObject(value) && !isPlain(value) && Object.keys(value).length === 0) {
      throw new TypeError(`${name || "a value"} is a ${value.constructor?.name || "class"} without fields, which JSON cannot express`);
    }
    return value;
  });
}

/** Whether it is an object literal, of this realm or another one: its prototype has no prototype. */
export function isPlain(value: object): boolean {
  const prototype: unknown = isObject(value) ? Object.getPrototypeOf(value) : undefined;
  return prototype === null || (isObject(prototype) && Object.getPrototypeOf(prototype) === null);
}

/** The query as text, without absent values; "" or with its question mark. */
export function queryText(query: Query = {}): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  return given.length ? `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}` : "";
}

export function freshKey(): string {
  return crypto.randomUUID();
}

/** The idempotency key of a call: the given one, or else a new one. */
export function ownKey(given: string | undefined): string {
  if (given === undefined) return freshKey();
  if (typeof given !== "string" || !given.trim()) {
    throw new RangeError("idempotencyKey is empty: give it a value, or omit it");
  }
  return given;
}

/** An id as one path segment. */
export function segment(id: string): string {
  if (typeof id !== "string" || !id.replace(/^[. ]+|[. ]+$/g, "")) {
    throw new TypeError(`an id is a non-empty string, not ${JSON.stringify(id)}`);
  }
  return encodeURIComponent(id);
}

/** An agent's address as the one to three path segments of the server's routes. */
export function addressPath(address: string): string {
  const bare = address.trim().replace(/^agent:\/\//, "");
  if (!bare) throw new TypeError("an agent's name or address must not be empty");
  const parts = bare.split("/");
  if (!parts.every((part) => part.replace(/^[. ]+|[. ]+$/g, ""))) {
    // such a path would be another one
    throw new TypeError(`an agent's address has no empty part and none of dots only, unlike ${JSON.stringify(address)}`);
  }
  return parts.map(encodeURIComponent).join("/");
}

/** A response's member as a list of objects; empty if it is not a list. */
export function listOf<T>(answer: Json, name: string, read: (item: Json) => T): T[] {
  const found: unknown = answer[name];
  return Array.isArray(found) ? found.filter(isObject).map(read) : [];
}

/** A response's member as an object, or the response itself if it has no such member. */
export function inner(answer: Json, name: string): Json {
  const found: unknown = answer[name];
  return isObject(found) ? found : answer;
}

/** An object without its undefined members, which are not sent. */
export function given(fields: Json): Json {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== null));
}
