import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { keysOf } from "../../src/api/keys.ts";
import type { ServerDefinition } from "../../src/api/site.ts";
import { screenshotPath } from "../../src/client/http.ts";
import { run } from "../../src/host/command.ts";
import { launchedProcess } from "../../src/host/confine.ts";
import { sendSignal } from "../../src/host/process.ts";
import type { Frame } from "../../src/screen/frame.ts";
import { pixelsOf } from "../../src/screen/pixels.ts";
import { recognise } from "../../src/screen/recognise.ts";
import { cellsOf, readTexts } from "../../src/screen/text-screen.ts";
import { debianDisk } from "../disks/debian.ts";
import { readPng } from "../frames/png.ts";
import { miniIso } from "../isos/mini-iso.ts";
import { freePort, instanceForTests, patience, until } from "./harness.ts";

/**
 * What people run beside Windows, all at the same time on one host: two Debians, a memory test, the shell of UEFI, an
 * installer, a boot loader without anything to boot. Each is known by what stands on its screen.
 */

const instance = instanceForTests();
const memtest = "/usr/lib/memtest86+/memtest86+x64.iso";
let folder = "";

beforeAll(async () => {
	folder = await mkdtemp(join(tmpdir(), "bh-systems-"));
	const blank = join(folder, "blank.iso");
	const empty = ["-as", "mkisofs", "-quiet", "-o", blank, import.meta.dirname];
	await run("xorriso", empty, { deadlineMs: 30_000 });
	await miniIso(join(folder, "mini.iso"));
	const disc = (iso: string, changes: Partial<ServerDefinition> = {}): ServerDefinition => ({
		install: { iso },
		system: { size: "64MiB" },
		memory: "256MiB",
		...changes,
	});
	await instance.apply({
		name: "zoo",
		segments: { lab: { subnet: "10.91.0.0/24" } },
		servers: {
			memtest: disc(memtest),
			shell: disc(blank, { firmware: "uefi" }),
			secure: disc(blank, { firmware: "uefi-secure", tpm: true, guest: "windows-11", cpus: 1 }),
			installer: disc(join(folder, "mini.iso"), {
				guest: "linux",
				memory: "384MiB",
				system: { size: "2GiB" },
			}),
			grub: disc("/usr/lib/grub-rescue/grub-rescue-cdrom.iso", { memory: "128MiB" }),
			deb64: {
				template: "debian-web",
				network: { segment: "lab", address: "10.91.0.10" },
				publish: [{ service: "http", to: "host", listen: await freePort() }],
			},
			deb32: {
				image: await debianDisk("i386"),
				guest: "linux",
				memory: "384MiB",
				network: { segment: "lab", address: "10.91.0.11", card: "e1000" },
				system: { bus: "sata" },
				publish: [{ service: "http", to: "host", listen: await freePort() }],
			},
		},
	});
});

afterAll(async () => {
	await rm(folder, { recursive: true, force: true });
});

async function screenOf(server: string) {
	return readPng(Buffer.from(await instance.client.bytes(screenshotPath(server))));
}

async function lettersOn(server: string): Promise<string> {
	return readTexts(pixelsOf(await screenOf(server)))[0]?.lines.join("\n") ?? "";
}

async function untilScreen(
	server: string,
	says: RegExp,
	deadlineMs: number = patience.state,
): Promise<string> {
	let text = "";
	const shows = async () => {
		text = await lettersOn(server);
		return says.test(text);
	};
	await until(`${says} on the screen of ${server}`, shows, deadlineMs, () => text);
	return text;
}

/** It has shown what it had to: all but the Debians keep a processor busy, also while they wait. */
async function shown(server: string): Promise<void> {
	await instance.client.call("stop", { server }, { deadlineMs: 0 });
}

test("an installer's menu takes keys", async () => {
	// The menu is a picture: its prompt is not, and comes when Escape is pressed after it has been drawn.
	const prompted = async () => {
		await instance.client.call("keys", { server: "installer" }, { keys: ["esc"] });
		return /boot:/.test(await lettersOn("installer"));
	};
	await until("the installer's prompt", prompted, patience.state);
	const typed = keysOf("install vga=normal\n");
	// An Escape that came too late would take the first letter with it.
	await instance.client.call("keys", { server: "installer" }, { keys: ["backspace", ...typed] });
});

test("all run at the same time", async () => {
	for (const server of ["memtest", "shell", "secure", "installer", "grub"])
		await instance.until(server, "running");
	// These take minutes to say that they are ready: the others keep the processors busy.
	for (const server of ["deb64", "deb32"])
		await until(`a session of ${server}`, async () => await instance.groupIsThere(server, 1), patience.state);
});

test("memtest86+ tests the memory", async () => {
	await untilScreen("memtest", /Memtest86\+ v\d[\s\S]*Pass/);
	expect(recognise(await screenOf("memtest")).kind).toBe("text");
	await shown("memtest");
});

test("UEFI without anything to boot shows its shell, and takes keys", async () => {
	await until("the shell", async () => (await consoleOf("shell")).includes("Shell>"), patience.state);
	await instance.client.call("keys", { server: "shell" }, { keys: ["v", "e", "r", "ret"] });
	const answered = async () => (await consoleOf("shell")).split("UEFI Interactive Shell").length > 2;
	await until("the answer to ver", answered, patience.state);
	const [title = ""] = /UEFI Interactive Shell v[\d.]+/.exec(await consoleOf("shell")) ?? [];
	const drawn = async () => shellShows(await screenOf("shell"), [title, "Shell> ver"]);
	await until("the same on its screen", drawn, patience.state);
	const screen = await screenOf("shell");
	expect(shellShows(screen, [title.replace("Shell", "Shall")])).toBe(false);
	expect(recognise(screen).kind).not.toBe("blue-screen");
	await shown("shell");
});

test("with Secure Boot the same shell is refused, as nobody has signed it", async () => {
	await until(
		"the refusal",
		async () => (await consoleOf("secure")).includes("Security Violation"),
		patience.state,
	);
	expect(await readdir(instance.paths.server("secure").tpm)).toContain("tpm2-00.permall");
});

test("a TPM that ends before its session is told, and nothing is ended for it", async () => {
	const tpm = launchedProcess(instance.paths.server("secure").session(1).tpmLaunch);
	expect(tpm && sendSignal(tpm, "SIGKILL")).toBe(true);
	await instance.until("secure", "running", ({ reason }) => reason.includes("its TPM has ended"));
	const told = async () => (await instance.events()).some(({ text }) => text.startsWith("Its TPM has ended"));
	await until("the event", told, 10_000);
	expect((await instance.session("secure")).number).toBe(1);
	await shown("secure");
});

test("Debian's installer begins, and its blue is no blue screen", async () => {
	// With little memory it says so in English first, in letters of the console; the languages have a font of its own.
	await untilScreen("installer", /Entering low memory mode/);
	expect(recognise(await screenOf("installer")).kind).not.toBe("blue-screen");
	await shown("installer");
});

test("a rescue disc's boot loader finds nothing to boot, and says so", async () => {
	await untilScreen("grub", /(error: |Failed to boot|GRUB)/);
	await shown("grub");
});

test.each([
	["deb64", "session"],
	["deb32", "Debian for i386, from its own boot loader"],
])(
	"%s answers on the web, 64 bits from a template and 32 bits from its own boot loader",
	async (server, words) => {
		const { published } = await instance.until(server, "running");
		const answer = async () => {
			const response = await fetch(`http://127.0.0.1:${published[0]?.listen}/`).catch(() => undefined);
			return (await response?.text().catch(() => ""))?.includes(words) ?? false;
		};
		await until(`${server} answering`, answer, patience.state);
	},
);

test.each([
	["deb64", /SeaBIOS[\s\S]*Booting from ROM/],
	["deb32", /Debian GNU\/Linux 12 \S+ tty1[\s\S]*login:/],
])("%s shows text on its screen, and no blue screen", async (server, words) => {
	await untilScreen(server, words);
	expect(recognise(await screenOf(server)).kind).toBe("text");
});

test("none of that was taken for a failure", async () => {
	expect(await instance.client.call("incidents", {}, null)).toEqual([]);
});

/**
 * Whether a screen of UEFI shows texts, known by which of their letters are the same ones: its font is none that is read
 * here. EDK II draws cells of 8x19, 31 rows of them in the middle (MdeModulePkg, GraphicsConsoleDxe).
 */
function shellShows(frame: Frame, texts: readonly string[]): boolean {
	const pixels = pixelsOf(frame);
	const top = Math.floor((pixels.height - 31 * 19) / 2) % 19;
	const found = cellsOf(pixels, { cellWidth: 8, cellHeight: 19, top });
	if (!found) return false;
	const keys = found.cells.map(({ key }) => key);
	const letters = new Map<string, string>();
	return texts.every((text) =>
		keys.some((_, start) => {
			const learnt = lettersFrom(keys.slice(start, start + text.length), text, letters);
			for (const [key, letter] of learnt ?? []) letters.set(key, letter);
			return learnt !== undefined;
		}),
	);
}

/** @returns which glyph is which letter; undefined when they cannot be these */
function lettersFrom(
	keys: readonly (string | undefined)[],
	text: string,
	known: ReadonlyMap<string, string>,
): Map<string, string> | undefined {
	const letters = new Map([["", " "], ...known]);
	for (const [index, letter] of [...text].entries()) {
		const key = keys[index];
		if (key === undefined) return undefined;
		const isNew = !letters.has(key) && ![...letters.values()].includes(letter);
		if (isNew) letters.set(key, letter);
		if (letters.get(key) !== letter) return undefined;
	}
	return letters;
}

async function consoleOf(server: string): Promise<string> {
	const { stdout } = await run("cat", [instance.paths.server(server).session(1).console], {
		deadlineMs: 5000,
	});
	return stdout;
}
