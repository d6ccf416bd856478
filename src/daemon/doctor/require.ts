import { BulkheadError } from "../../api/errors.ts";
import { missingPrograms, programs } from "./checks.ts";

/** @throws BulkheadError host-lacks, when the daemon cannot work on this host at all */
export async function requireHost(): Promise<void> {
	if (process.getuid?.() !== 0)
		throw new BulkheadError(
			"host-lacks",
			"the daemon must run as root: it makes network namespaces and control groups",
		);
	const missing = await missingPrograms(programs);
	if (missing.length === 0) return;
	const packages = [...new Set(missing.map((program) => programs[program]))].join(" ");
	throw new BulkheadError(
		"host-lacks",
		`missing on this host: ${missing.join(", ")}; install them with: apt-get install ${packages}`,
	);
}
