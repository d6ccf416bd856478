import type { DoorPlan, ServicePlan } from "../plan.ts";
import { innerSocketOf, inside, nameOf, uploadBackendOf } from "./names.ts";
import { parseStat } from "./stat.ts";

/**
 * Uploads are taken in as a whole before the server sees any of them, by a HAProxy of their own whose buffers are large
 * enough. One that is still being sent when the server fails is therefore not with the server: it reaches the next
 * session. And one that is with the server has been sent, so its client reads the answer: HAProxy 2.6 answers with 502
 * whenever a server ends, but its own client, when that is another HAProxy that still writes, sees the end of the
 * connection before the answer and closes silently.
 */

/** Bytes of the largest one that is taken in; larger ones, and those that do not tell their length, pass as they come. */
export const largestUpload = 2 ** 20;
/** How many are taken in at once, all services together; more pass as they come. Bounds the memory: see `bufferBytes`. */
const mostUploads = 64;
/** Bytes of a buffer: the upload and its head, with what HAProxy notes of them. Only what is filled is memory. */
const bufferBytes = largestUpload + 2 ** 17;

/** The path of the socket, inside the confinement, on which a service's uploads are taken in. */
function uploadSocketOf(service: ServicePlan): string {
	return `${inside.run}/upload.${nameOf(service)}.sock`;
}

/** Rules of a service's frontend: what is taken in first. `repeatable` is an access list that is there. */
export function uploadRules(service: ServicePlan): string[] {
	const backend = uploadBackendOf(service);
	return [
		`acl upload req.hdr_val(content-length) 1:${largestUpload}`,
		"acl upgraded req.hdr(upgrade) -m found",
		`acl crowded be_conn(${backend}) ge ${mostUploads}`,
		`use_backend ${backend} if upload !repeatable !upgraded !crowded`,
	];
}

/** Whether uploads of all services are taken in, by HAProxy's answer to `show stat`: that process begins after the front door. */
export function takesUploads(stat: string): boolean {
	const rows = parseStat(stat).filter(
		({ proxy, server }) => proxy.startsWith("upload.") && server === "whole",
	);
	return rows.every(
		(row) => row.text("status").startsWith("UP") && row.text("check_status").endsWith("L4OK"),
	);
}

/** Lines of the backend that leads there: while that process is away, uploads pass as they come. */
export function uploadServers(service: ServicePlan): string[] {
	return [
		"retries 3",
		"option redispatch 1",
		`server whole unix@${uploadSocketOf(service)} check inter 1s downinter 50ms fall 1 rise 1 observe layer4 error-limit 1 on-error mark-down`,
		`server inner unix@${innerSocketOf(service)} backup`,
	];
}

/** The text of the configuration of the HAProxy that takes uploads in; undefined when no service has any. */
export function uploadConfigOf(plan: DoorPlan): string | undefined {
	const services = plan.services.filter(({ protocol }) => protocol === "http");
	if (services.length === 0) return undefined;
	return `${[
		"# Written by Bulkhead; changes are lost.",
		"global",
		...[`maxconn ${2 * mostUploads * services.length}`, "nbthread 1", `tune.bufsize ${bufferBytes}`].map(
			indent,
		),
		"defaults",
		...[
			"mode http",
			"option http-buffer-request",
			"option abortonclose",
			"timeout connect 5s",
			"timeout client 10m",
			// Of an upload as a whole.
			"timeout http-request 10m",
			"timeout http-keep-alive 10s",
		].map(indent),
		...services.flatMap((service) => [
			`listen ${nameOf(service)}`,
			...[
				`bind unix@${uploadSocketOf(service)} mode 600`,
				`timeout server ${innerAnswerMs(service)}ms`,
				"option http-server-close",
				`server inner unix@${innerSocketOf(service)}`,
			].map(indent),
		]),
	].join("\n")}\n`;
}

/** Milliseconds: as long as the inner hop may hold a request, and the server may think about it. */
export function innerAnswerMs({ holdMs }: ServicePlan): number {
	return holdMs + 660_000;
}

function indent(line: string): string {
	return `\t${line}`;
}

/**
 * The command that is the front door: HAProxy, and beside it the one that takes uploads in, begun again whenever it ends.
 * Those two end with the first (PR_SET_PDEATHSIG), and do not hold its listening sockets.
 * @param listeners how many descriptors from 4 on are listening sockets
 */
export function doorCommand(listeners: number, uploads: boolean, options: readonly string[]): string[] {
	// -db: stay in the foreground, as one process.
	const door = ["haproxy", "-f", inside.config, "-db", ...options];
	if (!uploads) return door;
	const last = 3 + listeners;
	// Who ends before its child has asked to end with it leaves an orphan: each looks whether its parent is still there.
	const once = `[ "$PPID" = "$1" ] || exit; exec haproxy -q -f ${inside.uploads} -db`;
	const again = `[ "$PPID" = "$1" ] || exit; for ((fd = 4; fd <= ${last}; fd++)); do exec {fd}<&-; done; while :; do rm -f upload.*.sock; setpriv --pdeathsig KILL bash -c "$2" uploads "$$"; sleep 0.2; done`;
	const begin =
		'again=$1 once=$2; shift 2; setpriv --pdeathsig KILL bash -c "$again" uploads "$$" "$once" & exec "$@"';
	return ["bash", "-c", begin, "door", again, once, ...door];
}
