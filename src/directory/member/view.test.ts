import { expect, test } from "vitest";
import { viewCommand } from "./view.ts";

test("Samba's programs see nothing that root believes of a membership, and can write to no folder that has it", () => {
	const words = viewCommand("/state/domain", ["net"]);
	const shown = (option: string) =>
		words.flatMap((word, i) => (word === option ? [`${words[i + 1]} as ${words[i + 2]}`] : []));
	expect(shown("--bind")).toEqual([
		...["private", "state", "cache", "lock", "pid", "log", "run", "core"].map(
			(name) => `/state/domain/${name} as /domain/${name}`,
		),
		"/state/domain/run as /run/samba",
	]);
	expect(shown("--ro-bind")).toEqual([
		"/usr as /usr",
		"/state/domain/etc as /etc",
		"/state/domain/etc as /domain/etc",
	]);
	expect(shown("--bind-try")).toEqual(["/state/domain/sockets as /run/samba/winbindd"]);
});
