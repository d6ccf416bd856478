import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { readTemplate, shipped, templateNames } from "./catalogue.ts";

const names = await templateNames();
const scratch = mkdtempSync(join(tmpdir(), "bulkhead-shipped-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** A program that some machines do not have. */
const has = (program: string) => spawnSync(program, ["--version"]).status === 0;

function filesBelow(folder: string): string[] {
	return readdirSync(folder, { recursive: true, withFileTypes: true })
		.filter((entry) => entry.isFile())
		.map((entry) => join(entry.parentPath, entry.name));
}

test("there are the templates that the documentation names", () => {
	expect(names).toEqual([
		"debian-domain-controller",
		"debian-ledger",
		"debian-services",
		"debian-web",
		"tiny",
	]);
});

describe.each(names)("template %s", (name) => {
	test("is described by its own name", async () => {
		expect((await readTemplate(name)).name).toBe(name);
	});

	test("has what warm recovery asks of a guest", () => {
		const root = join(shipped, name, "root");
		expect(existsSync(join(root, "usr/lib/bulkhead/settled"))).toBe(true);
		expect(readFileSync(join(shipped, name, "build"), "utf8")).toMatch(/install_code nothing|furnish /);
	});
});

test("every shell program of the templates is one", () => {
	const wrong = filesBelow(shipped).flatMap((file) => {
		const shell = /^#!\/bin\/(?:busybox )?(sh|bash)\b/.exec(readFileSync(file, "latin1"))?.[1];
		if (!shell) return [];
		const { status, stderr } = spawnSync(shell, ["-n", file], { encoding: "utf8" });
		return status === 0 ? [] : [`${file}: ${stderr}`];
	});
	expect(wrong).toEqual([]);
});

const codeFolder = join(shipped, "lib/code");
test.skipIf(!has("as") || !has("objcopy"))("machine code is what its source says", () => {
	for (const source of readdirSync(codeFolder).filter((file) => file.endsWith(".S"))) {
		const [object, binary] = [join(scratch, "code.o"), join(scratch, "code.bin")];
		expect(spawnSync("as", ["--64", "-o", object, join(codeFolder, source)]).status).toBe(0);
		expect(spawnSync("objcopy", ["-O", "binary", "-j", ".text", object, binary]).status).toBe(0);
		const kept = readFileSync(join(codeFolder, source.replace(".S", ".hex")), "utf8");
		expect(kept.replaceAll("\n", ""), source).toBe(readFileSync(binary).toString("hex"));
	}
});

test("the stand-in for hwclock succeeds, whatever it is asked", () => {
	const program = join(scratch, "hwclock");
	const hex = readFileSync(join(codeFolder, "nothing.hex"), "utf8").replaceAll("\n", "");
	writeFileSync(program, Buffer.from(hex, "hex"), { mode: 0o755 });
	expect(spawnSync(program, ["-w"])).toMatchObject({
		status: 0,
		stdout: Buffer.alloc(0),
		stderr: Buffer.alloc(0),
	});
});

/** apt's stand-in has lists of its own (none, old ones, new ones), and a mirror with the newer kernel only. */
const fetchesKernel = `
set -euo pipefail
total=1
. "$1"
lists=$2 updated=$3
mkdir -p "$WORK/debs"
apt_options=()
apt-cache() {
  case $lists in
    none) return 100 ;;
    old) printf '%s\\n' linux-image-amd64 '  Depends: linux-image-6.1.0-1-amd64' ;;
    new) printf '%s\\n' linux-image-amd64 '  Depends: linux-image-6.1.0-2-amd64' ;;
  esac
}
apt-get() {
  case "$*" in
    *update) lists=$updated ;;
    *'download linux-image-6.1.0-2-amd64') ;;
    *) return 100 ;;
  esac
}
unpack() { :; }
depmod() { :; }
reason=""
trap 'echo "$reason"' EXIT
fetch_kernel
echo "$kernel_version"
`;

describe("the kernel of a template", () => {
	const fetched = (lists: string, updated = "new") => {
		const args = ["-c", fetchesKernel, "bash", join(shipped, "lib/build.sh"), lists, updated];
		const env = { ...process.env, OUT: scratch, WORK: scratch };
		const { status, stdout } = spawnSync("bash", args, { encoding: "utf8", env });
		return { status, said: stdout.trim() };
	};
	const newer = { status: 0, said: "6.1.0-2-amd64" };

	test.each(["none", "old", "new"])("is found with apt's lists as they are: %s", (lists) => {
		expect(fetched(lists)).toEqual(newer);
	});

	test("is missed in words, where new lists have none either", () => {
		expect(fetched("none", "none")).toEqual({
			status: 1,
			said: "apt knows no package linux-image-amd64",
		});
		expect(fetched("old", "old")).toEqual({
			status: 1,
			said: "apt could not download linux-image-6.1.0-1-amd64",
		});
	});
});

describe("wake", () => {
	const wake = (...args: string[]) =>
		spawnSync("sh", [join(shipped, "lib/guest/wake"), ...args], { encoding: "utf8" });

	test.each([[[]], [["7"]], [["x", "1"]], [["7", "1;reboot"]], [["-7", "1"]]])(
		"refuses %j and changes nothing",
		(args) => {
			expect(wake(...args)).toMatchObject({
				status: 2,
				stderr: expect.stringContaining("usage: wake SESSION"),
			});
		},
	);
});

/** The ledger's web server, beside a stand-in for PostgreSQL's client that never gets a connection. */
describe.skipIf(!has("python3"))("the ledger without its database", () => {
	let port = 0;
	let child: ReturnType<typeof spawn>;
	const ask = async (path: string, init?: RequestInit) =>
		await fetch(`http://127.0.0.1:${port}${path}`, init);

	beforeAll(async () => {
		const stand = ["Error = OperationalError = InterfaceError = type('Error', (Exception,), {})"];
		writeFileSync(
			join(scratch, "psycopg2.py"),
			`${stand.join("\n")}\ndef connect(**_): raise Error("nobody there")\n`,
		);
		port = await freePort();
		child = spawn("python3", [join(shipped, "debian-ledger/root/usr/lib/ledger/ledger")], {
			stdio: "ignore",
			env: {
				...process.env,
				PYTHONPATH: scratch,
				PYTHONDONTWRITEBYTECODE: "1",
				LEDGER_PORT: String(port),
				LEDGER_CLUSTER: scratch,
			},
		});
		await vi.waitFor(async () => expect((await ask("/healthz")).status).toBe(503), { timeout: 20_000 });
	});
	afterAll(async () => {
		const gone = once(child, "exit");
		child.kill("SIGKILL");
		await gone;
	});

	test("says so when asked for its health, at once", async () => {
		const answer = await ask("/healthz");
		expect(answer.status).toBe(503);
		expect(await answer.json()).toEqual({ error: "the database does not answer" });
	});

	test.each([
		["not JSON", "{", /not JSON/],
		["another field", '{"key":"a","amount":1,"text":"","more":1}', /nothing else/],
		["a key with a slash", '{"key":"a/b","amount":1,"text":""}', /^key:/],
		["half a cent", '{"key":"a","amount":1.5,"text":""}', /^amount:/],
		["a truth for a number", '{"key":"a","amount":true,"text":""}', /^amount:/],
		["half a character", '{"key":"a","amount":1,"text":"\\ud800"}', /^text:/],
		["a zero byte", '{"key":"a","amount":1,"text":"\\u0000"}', /^text:/],
	])("refuses an entry with %s, and says what is wrong", async (_, body, words) => {
		const answer = await ask("/entries", { method: "POST", body });
		expect(answer.status).toBe(400);
		expect(((await answer.json()) as { error: string }).error).toMatch(words);
	});

	test("refuses a body that is too large, and pages that do not exist", async () => {
		expect((await ask("/entries", { method: "POST", body: "x".repeat(65_537) })).status).toBe(413);
		expect((await ask("/entries?after=-1")).status).toBe(400);
		expect((await ask("/nothing")).status).toBe(404);
	});
});

async function freePort(): Promise<number> {
	const server = createServer().listen(0, "127.0.0.1");
	await once(server, "listening");
	const address = server.address();
	server.close();
	return typeof address === "object" && address ? address.port : 0;
}
