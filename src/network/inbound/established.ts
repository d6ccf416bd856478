import { isIPv4 } from "node:net";
import { inside } from "../namespace.ts";

/**
 * How many TCP connections others have open to a server at its own address; those of the sandbox itself, such as front
 * doors', do not count. @param own the addresses of the sandbox. @throws CommandError
 */
export async function connectionsTo(
	namespace: string,
	address: string,
	own: readonly string[],
): Promise<number> {
	const family = isIPv4(address) ? "ipv4" : "ipv6";
	const command = ["conntrack", "-L", "-f", family, "-p", "tcp", "--state", "ESTABLISHED", "-d", address];
	const text = await inside(namespace, command);
	return text.split("\n").filter((line) => {
		const from = /^tcp .*? src=(\S+) /.exec(line)?.[1];
		return from !== undefined && !own.includes(from);
	}).length;
}
