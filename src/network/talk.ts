import { z } from "zod";

const ascii = (most: number) =>
	z
		.string()
		.max(most)
		.regex(/^[\x20-\x7e\r\n]+$/);

/**
 * One step of a health check that speaks a service's protocol: bytes that are sent, or beginnings of the answer, any
 * one of which will do. Whatever shows that the program behind the port is alive counts as well, a refusal included:
 * a service that is well and called down would have its server started again and again.
 */
const stepSchema = z.union([
	z.strictObject({ send: ascii(200) }),
	/** Bytes in hexadecimal: `30 0c 02`. */
	z.strictObject({ sendHex: z.string().regex(/^[0-9a-f]{2}( [0-9a-f]{2})*$/) }),
	z.strictObject({ expect: z.array(ascii(50)).min(1) }),
	/** The same with `..` for one byte, `3.` for one that begins with that digit, and `**` for any number of them. */
	z.strictObject({
		expectHex: z
			.array(z.string().regex(/^([0-9a-f]{2}|[0-9a-f]\.|\.\.|\*\*)( ([0-9a-f]{2}|[0-9a-f]\.|\.\.|\*\*))*$/))
			.min(1),
	}),
]);
type Step = z.infer<typeof stepSchema>;

/** A conversation step by step, or `tls`: a hello that every TLS server answers. */
export const talkSchema = z.union([z.literal("tls"), z.array(stepSchema).min(1).max(6)]);

/** A health check in a service's own protocol. */
export interface Talk {
	/** Milliseconds between two checks of a service that is well. */
	everyMs: number;
	/** Milliseconds that the server has for its part, from the connection on. */
	withinMs: number;
	/** HAProxy's `tcp-check` rules after the connection; only of what the patterns below let through. None: it is enough. */
	rules: readonly string[];
	/** Whether a connection that the server closes, orderly or not, counts as an answer, as does any answer then; not when left out. */
	hangUp?: "well";
}

/** How often it is asked, and how long it may take; milliseconds. */
export const timesSchema = {
	/**
	 * Most servers write a line about each conversation, and some count clients that go without logging in: sshd from 9.8
	 * on refuses an address at which they pile up (PerSourcePenalties, a second each), and it is the front door's.
	 */
	everyMs: z.int().min(400).max(10_000).default(2000),
	/**
	 * More for servers that look up who comes before they say a word: from inside the sandbox that fails by silence, and
	 * the C library gives up three name servers after 28 s. Postfix' postscreen makes clients wait for 6 s more.
	 */
	withinMs: z.int().min(1000).max(60_000).default(8000),
};

/** What a profile says of its health check. */
interface Described {
	health?: z.infer<typeof talkSchema> | undefined;
	hangUp?: "well" | undefined;
	everyMs: number;
	withinMs: number;
}

/** @returns the check that a profile describes, null when it describes none */
export function talkOf({ health, hangUp, everyMs, withinMs }: Described): Talk | null {
	if (health === undefined) return null;
	const rules =
		health === "tls" ? [sending(clientHello()), expecting(["16 03", "15 03"])] : health.map(ruleOf);
	return { everyMs, withinMs, rules, ...(hangUp ? { hangUp } : {}) };
}

/** The same at the same pace, with the connection alone: who comes more often may be refused (see `everyMs`). */
export function connectionOf(talk: Talk): Talk {
	return { ...talk, rules: [] };
}

function ruleOf(step: Step): string {
	if ("send" in step) return sending(Buffer.from(step.send, "latin1"));
	if ("sendHex" in step) return sending(Buffer.from(step.sendHex.replaceAll(" ", ""), "hex"));
	if ("expectHex" in step) return expecting(step.expectHex);
	return expecting(step.expect.map((text) => Buffer.from(text, "latin1").toString("hex")));
}

/** Everything goes into the configuration as hexadecimal: nothing in it needs quoting. */
function sending(bytes: Buffer): string {
	return `tcp-check send-binary ${bytes.toString("hex").toUpperCase()}`;
}

/** HAProxy matches against the answer in upper case hexadecimal, and waits for more of it as long as nothing matches. */
function expecting(beginnings: readonly string[]): string {
	const patterns = beginnings.map((one) => one.toUpperCase().replaceAll("**", "(..)*").replaceAll(" ", ""));
	return `tcp-check expect rbinary '^(${patterns.join("|")})'`;
}

/** Whether rules are such as `talkOf` makes: checked again where they are written, as what is written runs. */
export function isTalkRule(rule: string): boolean {
	return /^tcp-check (send-binary ([0-9A-F]{2})+|expect rbinary '\^\([0-9A-F.()*|]+\)')$/.test(rule);
}

/**
 * A TLS hello (RFC 8446, 4.1.2) for anything from TLS 1.0 to 1.3, without a name and without a key: a server of 1.3
 * asks for one, which costs it no signature; an older one answers with its certificate; one that wants to know the
 * name, or nothing in common, with an alert. All of them are well.
 */
function clientHello(): Buffer {
	const suites = "130113021303c02bc02fc02cc030cca9cca8c009c013c00ac014009c009d002f0035000a00ff";
	const extensions = [
		extension("000a", vector(2, "001d001700180019")),
		extension("000b", vector(1, "00")),
		extension("000d", vector(2, "0403080404010503080505010806060102010203")),
		extension("002b", vector(1, "0304030303020301")),
		extension("0033", vector(2, "")),
	].join("");
	const random = Buffer.from("Bulkhead asks if this one's well").toString("hex");
	const body = `0303${random}${vector(1, "")}${vector(2, suites)}${vector(1, "00")}${vector(2, extensions)}`;
	return Buffer.from(`160301${vector(2, `01${vector(3, body)}`)}`, "hex");
}

function extension(type: string, content: string): string {
	return `${type}${vector(2, content)}`;
}

/** Hexadecimal content behind its length in so many bytes (RFC 8446, 3.4). */
function vector(lengthBytes: number, content: string): string {
	return `${(content.length / 2).toString(16).padStart(2 * lengthBytes, "0")}${content}`;
}
