/** Requests and responses by `fetch`: the only module that uses the network. */
import { type Call, encoded, isSafe, queryText, check } from "./calls.js";
import {
  ClientClosed,
  ConnectionFailed,
  isObject,
  mayPass,
  mayRepeat,
  notSignoff,
  parsed,
  refusal,
  type Reply,
  SignoffError,
  WrongResponse,
} from "./errors.js";
import { isLoopback, type Settings } from "./settings.js";
import { after, Backoff, Deadline, onAbort, sleep } from "./time.js";
import { traceHeaders } from "./tracing.js";
import { VERSION } from "./version.js";

const MARK = "x-client-request-id";
const HIDDEN = "(the API key)";
// The error codes of Node, Bun and Deno for a request that was never sent.
const UNSENT = /ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ConnectionRefused|UND_ERR_CONNECT_TIMEOUT|client error \(Connect\)/;

export type Fetch = (input: string, init: RequestInit) => Promise<Response>;

export interface Limits {
  /** Seconds for one request. */
  readonly timeout: number;
  /** Seconds during which a safe call is repeated. */
  readonly retryFor: number;
}

/** An open stream of bytes. */
export interface ByteStream {
  readonly reply: Reply;
  /** The next bytes, within this many seconds; undefined at the end. */
  read(seconds: number): Promise<Uint8Array | undefined>;
  close(): void;
}

/** A request, with the mark that identifies its response. */
interface Request {
  readonly shown: string;
  readonly mark: string;
  readonly url: string;
  readonly init: RequestInit;
}

export class Transport {
  readonly settings: Settings;
  readonly limits: Limits;
  readonly #program: string;
  readonly #fetch: Fetch;
  readonly #underWay: Set<Watch> = new Set();
  #closed: ClientClosed | undefined;

  constructor(settings: Settings, limits: Limits, program: string, fetch: Fetch | undefined) {
    this.settings = settings;
    this.limits = limits;
    this.#program = program;
    this.#fetch = fetch ?? ((input, init) => globalThis.fetch(input, init));
  }

  /** End everything in progress. */
  close(): void {
    this.#closed ??= new ClientClosed("This client is closed. Create a new one.");
    for (const watch of this.#underWay) watch.stop(this.#closed);
  }

  /** Send a call until it gets a response, as long as a retry is safe; then read the response. */
  async perform<T>(call: Call<T>, signal?: AbortSignal, retryFor: number = this.limits.retryFor): Promise<T> {
    return this.#repeat(call, new Deadline(retryFor), this.limits.timeout, mayRepeat, signal);
  }

  /** Perform a safe call until the time is up, across outages and restarts of the server. */
  async persist<T>(
    call: Call<T>,
    seconds: number,
    signal?: AbortSignal,
    passing: (failure: unknown) => boolean = mayPass,
  ): Promise<T> {
    const timeout = Math.max(0.001, Math.min(this.limits.timeout, seconds));
    return this.#repeat(call, new Deadline(seconds), timeout, passing, signal);
  }

  async #repeat<T>(
    call: Call<T>,
    end: Deadline,
    timeout: number,
    passing: (failure: unknown) => boolean,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    const backoff = new Backoff();
    for (;;) {
      try {
        return readResponse(call, await this.exchange(call, timeout + (call.wait ?? 0), signal));
      } catch (failure) {
        const safe = isSafe(call) || (failure instanceof ConnectionFailed && failure.unsent);
        if (!safe || !passing(failure)) throw failure;
        const pause = backoff.after(failure);
        if (pause >= end.left) throw failure;
        await sleep(pause, signal);
      }
    }
  }

  /** Send a request and get its whole response. */
  async exchange(call: Call<unknown>, seconds: number, signal?: AbortSignal): Promise<Reply> {
    const request = this.#request(call, "application/json");
    const watch = this.#watch(seconds, signal);
    try {
      const response = await this.#send(request, watch);
      return this.#heard(request, response, await response.text());
    } catch (error) {
      throw this.#failure(error, watch);
    } finally {
      watch.end();
    }
  }

  /** Send a request whose response is a stream, if its status is 200; else get the whole response. */
  async open(call: Call<unknown>, seconds: number, signal?: AbortSignal): Promise<ByteStream> {
    const request = this.#request(call, "text/event-stream");
    const watch = this.#watch(seconds, signal);
    let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
    const close = (): void => {
      watch.end();
      watch.stop();
      reader?.cancel().catch(() => {});
    };
    try {
      const response = await this.#send(request, watch);
      const isStream = response.headers.get("content-type")?.startsWith("text/event-stream") ?? false;
      if (response.status === 200 && isStream) reader = response.body?.getReader();
      const reply = this.#heard(request, response, reader ? "" : await response.text());
      watch.pause();
      const read = async (seconds: number): Promise<Uint8Array | undefined> => {
        watch.start(seconds);
        try {
          return (await reader?.read())?.value;
        } catch (error) {
          throw this.#failure(error, watch);
        } finally {
          watch.pause();
        }
      };
      return { reply, read, close };
    } catch (error) {
      const failure = this.#failure(error, watch);
      close();
      throw failure;
    }
  }

  #watch(seconds: number, signal: AbortSignal | undefined): Watch {
    const watch: Watch = new Watch(seconds, signal, () => this.#underWay.delete(watch));
    this.#underWay.add(watch);
    if (this.#closed) watch.stop(this.#closed);
    return watch;
  }

  #request(call: Call<unknown>, accept: string): Request {
    const mark = crypto.randomUUID().replaceAll("-", "");
    const headers: Record<string, string> = {
      ...traceHeaders(),
      accept,
      [MARK]: mark,
      "user-agent": `${this.#program}/${VERSION}`,
      "x-api-key": this.settings.apiKey,
    };
    const init: RequestInit = { method: call.method, headers, redirect: "manual" };
    if (call.body !== undefined) {
      headers["content-type"] = "application/json";
      init.body = encoded(call.body);
    }
    if (call.key !== undefined) headers["idempotency-key"] = call.key;
    return { shown: `${call.method} ${call.path}`, mark, url: this.settings.url + call.path + queryText(call.query), init };
  }

  async #send(request: Request, watch: Watch): Promise<Response> {
    watch.signal.throwIfAborted();
    return this.#fetch(request.url, { ...request.init, signal: watch.signal });
  }

  /** The response, if it belongs to this request: the server echoes each request's mark. */
  #heard(request: Request, response: Response, body: string): Reply {
    if ((response.headers.get(MARK) ?? request.mark) !== request.mark) {
      throw new WrongResponse(
        `The response to ${request.shown} belongs to another request ` +
          "and was discarded: a proxy, or this program, mixes up connections.",
      );
    }
    const key = this.settings.apiKey;
    // A proxy's error page may show the request that it received. A success is read unchanged.
    const shown = body.includes(key) && !(response.ok && isObject(parsed(body))) ? body.replaceAll(key, HIDDEN) : body;
    const headers = { get: (name: string) => response.headers.get(name)?.replaceAll(key, HIDDEN) ?? null };
    return { status: response.status, headers, body: shown };
  }

  /** What an error of fetch, or of reading a response, means. */
  #failure(error: unknown, watch: Watch): unknown {
    if (watch.timedOut) {
      const within = `within ${Number(watch.seconds.toPrecision(3))} seconds`;
      return new ConnectionFailed(`No response from ${this.settings.url} ${within}.`, { timedOut: true });
    }
    if (watch.signal.aborted) return watch.signal.reason;
    if (error instanceof SignoffError) return error;
    const why = cause(error);
    const unsent = UNSENT.test(why);
    let message = `No response from ${this.settings.url} (${why.replaceAll(this.settings.apiKey, HIDDEN)}).`;
    if (unsent && isLoopback(this.settings.url)) message += " Is it running? Start it with `signoff up`.";
    return new ConnectionFailed(message, { unsent });
  }
}

/** The cause of a failed fetch: its code and its message. */
function cause(error: unknown): string {
  let inner: unknown = (error as { cause?: unknown } | undefined)?.cause ?? error;
  if (inner instanceof AggregateError && inner.errors.length) inner = inner.errors[0];
  const code = String((inner as { code?: unknown } | undefined)?.code ?? "");
  const words = inner instanceof Error ? inner.message.trim() : "";
  return words.includes(code) ? words || "no words" : [code, words].filter(Boolean).join(": ");
}

/** The call's reading of a 2xx response; throws the error for any other. */
function readResponse<T>(call: Call<T>, reply: Reply): T {
  if (reply.status < 200 || reply.status >= 300) throw refusal(reply);
  const answer = parsed(reply.body);
  if (!isObject(answer)) throw notSignoff(reply.status, reply.body);
  check(call, answer);
  return call.read(answer);
}

/** A signal that combines a time limit, which can be moved, with the caller's signal. */
class Watch {
  readonly #controller: AbortController = new AbortController();
  readonly #deaf: (() => void) | undefined;
  readonly #ended: () => void;
  #cancel: () => void = () => {};
  timedOut = false;
  seconds: number;

  constructor(seconds: number, signal: AbortSignal | undefined, ended: () => void) {
    this.seconds = seconds;
    this.#ended = ended;
    if (signal?.aborted) this.stop(signal.reason);
    this.#deaf = signal && onAbort(signal, () => this.stop(signal.reason));
    this.start(seconds);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  start(seconds: number): void {
    this.#cancel();
    this.seconds = seconds;
    this.#cancel = after(seconds, () => {
      this.timedOut = !this.signal.aborted;
      this.stop();
    });
  }

  pause(): void {
    this.#cancel();
  }

  /** Cut off what is in progress. */
  stop(reason?: unknown): void {
    this.#controller.abort(reason);
  }

  /** Stop listening. */
  end(): void {
    this.#cancel();
    this.#deaf?.();
    this.#ended();
  }
}
