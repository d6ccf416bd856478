import { CommandError } from "../../../host/command.ts";
import { inside, userNumbers } from "../plan.ts";
import { asMember } from "../view.ts";

/** In every ticket, [MS-DTYP] 2.4.2.4: whether whom it is of has shown that to the domain, or a service has said so in his name. */
const asserted = ["S-1-18-1", "S-1-18-2"];
const config = `--configfile=${inside}/etc/smb.conf`;
const deadlineMs = 20_000;

/**
 * Has winbindd know numbers for these two. Samba's controllers (4.17) call them invalid instead of unknown when winbindd asks,
 * who then answers nothing for any of a ticket's groups; smbd goes on without, and nobody may do what his groups may.
 * @throws CommandError
 */
export async function knowIdentities(folder: string): Promise<void> {
	// The file is made with the first question.
	await asMember(folder, ["wbinfo", "--sid-to-gid=S-1-1-0"], { deadlineMs });
	if (await areKnown(folder)) return;
	const last = userNumbers[0] + 999_999;
	const input = asserted.map((sid, i) => `GID ${last - i} ${sid}\n`).join("");
	const script = `cat > /tmp/mappings && net idmap restore /tmp/mappings --db=${inside}/state/winbindd_idmap.tdb ${config}`;
	await asMember(folder, ["sh", "-c", script], { deadlineMs, input, alone: true });
	if (!(await areKnown(folder))) throw new Error(`winbindd knows no numbers for ${asserted.join(" and ")}`);
}

async function areKnown(folder: string): Promise<boolean> {
	return await asMember(folder, ["wbinfo", `--sids-to-unix-ids=${asserted.join(",")}`], { deadlineMs }).then(
		({ stdout }) => !stdout.includes("unmapped"),
		(error: unknown) => {
			if (error instanceof CommandError) return false;
			throw error;
		},
	);
}
