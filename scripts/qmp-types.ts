/**
 * Writes src/qemu/qmp/schema.generated.ts: TypeScript types of the QMP commands and events that Bulkhead uses,
 * from what the installed QEMU says of itself (query-qmp-schema, docs/interop/qmp-spec and qapi/introspect.json).
 * Run it with: node scripts/qmp-types.ts; `--print` writes to standard output instead.
 */
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { createInterface } from "node:readline";

const usedCommands = [
	"qmp_capabilities",
	"query-status",
	"query-version",
	"system_powerdown",
	"quit",
	"stop",
	"cont",
	"inject-nmi",
	"screendump",
	"send-key",
	"eject",
	"human-monitor-command",
	"migrate-set-capabilities",
	"migrate-set-parameters",
	"migrate",
	"migrate-incoming",
	"query-migrate",
	"dump-guest-memory",
	"blockdev-add",
	"blockdev-del",
	"device_add",
	"device_del",
	"object-add",
	"object-del",
	"set-action",
	"set_link",
	"query-dump",
];
/** Their arguments are unions of everything QEMU can build: thousands of lines for the few that are used. */
const openArguments = ["blockdev-add", "device_add", "object-add"];
const usedEvents = [
	"GUEST_PANICKED",
	"GUEST_CRASHLOADED",
	"SHUTDOWN",
	"RESET",
	"STOP",
	"RESUME",
	"POWERDOWN",
	"BLOCK_IO_ERROR",
	"WATCHDOG",
	"MEMORY_FAILURE",
];

interface Member {
	name: string;
	type: string;
	default?: unknown;
}
interface Entity {
	name: string;
	"meta-type": "builtin" | "enum" | "array" | "object" | "alternate" | "command" | "event";
	"json-type"?: string;
	values?: string[];
	"element-type"?: string;
	members?: Member[];
	variants?: { case: string; type: string }[];
	tag?: string;
	"arg-type"?: string;
	"ret-type"?: string;
}

const entities = new Map<string, Entity>();
const declared = new Map<string, string>();

function typeName(name: string): string {
	const entity = entities.get(name);
	if (!entity) throw new Error(`the schema has no entity ${name}`);
	switch (entity["meta-type"]) {
		case "builtin":
			return (
				{ int: "number", string: "string", boolean: "boolean", number: "number", null: "null" }[
					entity["json-type"] ?? ""
				] ?? "unknown"
			);
		case "array":
			return `readonly ${wrap(typeName(entity["element-type"] ?? ""))}[]`;
		default:
			declare(entity);
			return `T${entity.name}`;
	}
}

const wrap = (type: string) => (type.includes(" ") ? `(${type})` : type);

function declare(entity: Entity): void {
	if (declared.has(entity.name)) return;
	declared.set(entity.name, "");
	declared.set(entity.name, `type T${entity.name} = ${definition(entity)};`);
}

function definition(entity: Entity): string {
	if (entity["meta-type"] === "enum")
		return (entity.values ?? []).map((value) => JSON.stringify(value)).join(" | ");
	if (entity["meta-type"] === "alternate")
		return (entity.members ?? []).map((m) => typeName(m.type)).join(" | ");
	const members = (entity.members ?? []).map(member);
	if (members.length === 0 && !entity.variants?.length) return "Record<string, never>";
	const base = `{ ${members.join(" ")} }`;
	if (!entity.variants?.length) return base;
	const cases = entity.variants.map(
		(v) => `({ ${JSON.stringify(entity.tag)}: ${JSON.stringify(v.case)} } & ${typeName(v.type)})`,
	);
	// Values of the tag without a variant of their own have the base members only.
	return `${base} & (${[...cases, "object"].join(" | ")})`;
}

function member(m: Member): string {
	return `${JSON.stringify(m.name)}${"default" in m ? "?" : ""}: ${typeName(m.type)};`;
}

async function readSchema(): Promise<{ version: string; schema: Entity[] }> {
	const qemu = spawn(
		"qemu-system-x86_64",
		["-machine", "none", "-nodefaults", "-display", "none", "-qmp", "stdio"],
		{
			stdio: ["pipe", "pipe", "inherit"],
		},
	);
	for (const execute of ["qmp_capabilities", "query-qmp-schema", "quit"])
		qemu.stdin.write(`${JSON.stringify({ execute })}\n`);
	let version = "";
	let schema: Entity[] = [];
	for await (const line of createInterface({ input: qemu.stdout })) {
		const message = JSON.parse(line);
		const qemuVersion = message.QMP?.version?.qemu;
		if (qemuVersion) version = `${qemuVersion.major}.${qemuVersion.minor}`;
		if (Array.isArray(message.return)) schema = message.return;
	}
	return { version, schema };
}

const { version, schema } = await readSchema();
for (const entity of schema) entities.set(entity.name, entity);
const commands = usedCommands.map((name) => {
	const entity = entities.get(name);
	if (!entity) throw new Error(`this QEMU has no command ${name}`);
	const args = openArguments.includes(name) ? "Record<string, unknown>" : typeName(entity["arg-type"] ?? "");
	return `\t${JSON.stringify(name)}: { arguments: ${args}; return: ${typeName(entity["ret-type"] ?? "")} };`;
});
const events = usedEvents.map(
	(name) => `\t${JSON.stringify(name)}: ${typeName(entities.get(name)?.["arg-type"] ?? "")};`,
);
const names = new Map(
	[...declared.keys()].sort((a, b) => Number(a) - Number(b)).map((name, i) => [`T${name}`, `T${i}`]),
);
const text = `// Made by scripts/qmp-types.ts from QEMU ${version}. Do not edit.

${[...declared.values()].join("\n")}

/** The QMP commands that Bulkhead uses. */
export interface Commands {
${commands.join("\n")}
}

/** The QMP events that Bulkhead acts on. */
export interface Events {
${events.join("\n")}
}
`;
const named = text.replace(/\bT\d+\b/g, (name) => names.get(name) ?? name);
if (process.argv.includes("--print")) process.stdout.write(named);
else writeFileSync(new URL("../src/qemu/qmp/schema.generated.ts", import.meta.url), named);
