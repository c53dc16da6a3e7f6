/**
 * A call as a request to people: its arguments as the payload, its idempotency key, and what an edit may change.
 *
 * The key is derived only from the call: its name, all its arguments in canonical JSON, and the caller's own key.
 * So a program that crashed and makes the same call again finds its earlier request, and a call with other arguments
 * never does. Hidden arguments are replaced by a keyed hash: people see that they exist, the payload commits
 * to their values, and nobody without the secret can guess them. The Python SDK computes the same keys and hashes.
 */
import { isPlain, type Json } from "./calls.js";
import { InvalidEdit, isObject } from "./errors.js";

const MARK = "(hidden) ";
const DEEPEST = 30;

export interface CallTerms {
  /** Distinguishes the call from another one with the same arguments. */
  readonly key: string;
  /** Names of arguments that people do not see. */
  readonly hide: readonly string[];
  /** For the hash of hidden arguments: the API key of the calling program. */
  readonly secret: string;
}

/** One call that people are asked about. */
export class CallRequest {
  readonly name: string;
  /** What is sent, with hidden arguments replaced. */
  readonly payload: Json;
  readonly #asked: Json;
  readonly #identity: string;

  constructor(name: string, asked: Json, payload: Json, identity: string) {
    this.name = name;
    this.payload = payload;
    this.#asked = asked;
    this.#identity = identity;
  }

  /** A hash of name, all arguments and the caller's key. */
  get identity(): string {
    return this.#identity;
  }

  /** The idempotency key; `askedBefore`: how many requests for the same call have already been used. */
  key(askedBefore: number): string {
    return `call-${this.#identity}${askedBefore ? `-${askedBefore}` : ""}`;
  }

  /** Whether people changed anything. */
  edited(payload: Json): boolean {
    return !sameJson(payload, this.payload);
  }

  /**
   * The arguments to call with, given the approved payload. An argument that people did not change has the value that
   * they were asked about, whatever the program has since done with its own objects. An edited value has the JSON type
   * of the one that it replaces. `checked`: a null may become anything, because the gate's own check sees it. Throws
   * InvalidEdit.
   */
  approved(payload: Json, checked: boolean): Json {
    const names = Object.keys(this.payload);
    const odd = [
      ...names.filter((name) => !Object.hasOwn(payload, name)),
      ...Object.keys(payload).filter((name) => !Object.hasOwn(this.payload, name)),
    ].sort();
    if (odd.length) throw new InvalidEdit(`The edit of ${this.name} adds or removes arguments: ${odd.join(", ")}.`);
    return Object.fromEntries(names.map((name) => [name, this.#approved(name, payload[name], checked)]));
  }

  #approved(name: string, value: unknown, checked: boolean): unknown {
    const [asked, shown] = [this.#asked[name], this.payload[name]];
    if (sameJson(value, shown)) return asked;
    if (isHidden(shown)) throw new InvalidEdit(`The argument ${name} of ${this.name} is hidden and cannot be edited.`);
    if (kind(value) !== kind(asked) && !(asked === null && checked)) {
      throw new InvalidEdit(`The edit does not fit ${this.name}: the argument ${name} is ${kind(value)}, not ${kind(asked)}.`);
    }
    return value;
  }
}

/**
 * A copy of the arguments as JSON; TypeError naming the first one that JSON cannot express, or that should be hidden
 * but is missing.
 */
export function askedArguments(name: string, args: object, hide: readonly string[]): Json {
  if (!isPlain(args)) throw new TypeError(`${name}() takes its arguments as one plain object, by name`);
  const missing = hide.filter((one) => !Object.hasOwn(args, one)).sort();
  if (missing.length) throw new TypeError(`${name}() has no argument to hide named ${missing.join(", ")}`);
  for (const [argument, value] of Object.entries(args)) {
    if (isHidden(value)) {
      throw new TypeError(`${name}(): the argument ${argument} looks like a hidden one: ${JSON.stringify(MARK)} is reserved`);
    }
  }
  const refuse = (fault: string): never => {
    throw new TypeError(`${name}() cannot be sent for approval: ${fault}`);
  };
  return members(args, "the argument ", "arguments", -1, refuse);
}

/** The request of a call, with arguments from `askedArguments`. */
export async function callRequest(name: string, asked: Json, terms: CallTerms): Promise<CallRequest> {
  const shown: [string, unknown][] = [];
  for (const [argument, value] of Object.entries(asked)) {
    shown.push([argument, terms.hide.includes(argument) ? await hidden(name, argument, value, terms.secret) : value]);
  }
  const payload: Json = Object.fromEntries(shown);
  return new CallRequest(name, asked, payload, await sha256(canonicalJson([name, terms.key, payload])));
}

export async function sha256(text: string): Promise<string> {
  return hex(await crypto.subtle.digest("SHA-256", bytes(text)));
}

/**
 * The same text for equal JSON, in every language: names sorted by code points, no spaces, numbers as Python writes
 * them.
 */
export function canonicalJson(value: unknown): string {
  if (typeof value === "number") return numberText(value);
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const names = Object.keys(value).sort(byCodePoints);
  return `{${names.map((name) => `${JSON.stringify(name)}:${canonicalJson(value[name])}`).join(",")}}`;
}

export function sameJson(left: unknown, right: unknown): boolean {
  return canonicalJson(left) === canonicalJson(right);
}

function numberText(value: number): string {
  if (Number.isInteger(value)) return BigInt(value).toString();
  return Math.abs(value) < 1e-4 ? value.toExponential().replace(/e-(\d)$/, "e-0$1") : String(value);
}

/** JavaScript compares UTF-16 units, which gives another order beyond U+FFFF. */
function byCodePoints(left: string, right: string): number {
  const [a, b] = [[...left], [...right]];
  for (let at = 0; at < Math.min(a.length, b.length); at++) {
    const difference = a[at]!.codePointAt(0)! - b[at]!.codePointAt(0)!;
    if (difference) return difference;
  }
  return a.length - b.length;
}

type Refuse = (fault: string) => never;

/** A value that JSON expresses, copied; members that are undefined are absent. */
function copied(value: unknown, where: string, depth: number, refuse: Refuse): unknown {
  if (depth > DEEPEST) return refuse(`it is nested deeper than ${DEEPEST} levels`);
  if (value === null || typeof value === "boolean") return value;
  if (typeof value === "string") return isText(value) ? value : refuse(`${where} contains half of a surrogate pair`);
  if (typeof value === "number") {
    if (!Number.isFinite(value)) return refuse(`${where} is ${value}`);
    if (!Number.isInteger(value) || Number.isSafeInteger(value)) return value;
    return refuse(`${where} is an integer beyond 2^53 - 1 (send it as text)`);
  }
  // Array.from visits the holes of a sparse array too, as undefined.
  if (Array.isArray(value)) return Array.from(value, (item, at) => copied(item, `${where}[${at}]`, depth + 1, refuse));
  if (typeof value === "object" && isPlain(value)) return members(value, `${where}.`, where, depth, refuse);
  return refuse(`${where} is ${typeof value === "object" ? `a ${value.constructor?.name ?? "class"}` : typeof value}`);
}

function members(value: object, before: string, where: string, depth: number, refuse: Refuse): Json {
  const found: [string, unknown][] = [];
  for (const [name, item] of Object.entries(value)) {
    if (!isText(name)) refuse(`a key of ${where} contains half of a surrogate pair`);
    if (item !== undefined) found.push([name, copied(item, before + name.slice(0, 40), depth + 1, refuse)]);
  }
  return Object.fromEntries(found);
}

function isText(value: string): boolean {
  return !/\p{Surrogate}/u.test(value);
}

function kind(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "a list" : typeof value === "object" ? "an object" : `a ${typeof value}`;
}

function isHidden(value: unknown): boolean {
  return typeof value === "string" && value.startsWith(MARK);
}

async function hidden(name: string, argument: string, value: unknown, secret: string): Promise<string> {
  const key = await crypto.subtle.importKey("raw", bytes(secret), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  const mac = await crypto.subtle.sign("HMAC", key, bytes(canonicalJson([name, argument, value])));
  return MARK + hex(mac).slice(0, 32);
}

function bytes(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

function hex(buffer: ArrayBuffer): string {
  return Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
